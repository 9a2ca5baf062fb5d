/* blas.c: the one file that knows OpenBLAS: of it, LAPACK's eigenvectors are used (products have
 * kernels of their own, gemm.c). It is loaded, never linked.
 *
 * The traps, as measured (Debian 12, OpenBLAS 0.3.21):
 *   - It does not know newer CPUs and then falls back to its oldest kernels, seven times slower.
 * OPENBLAS_CORETYPE, read while the library is loaded, helps; programs set it to
 * dg_blas_wanted_core() before that. This library never changes the environment.
 *   - Below some 350 MB of address space it spins for ever while it is loaded. So the limit is
 * looked at first.
 *   - It starts a thread per core, which yields the CPU over and over while it has no work. One
 * thread per call is asked for: pieces of work are cut and run by our own pool. Programs set
 * OPENBLAS_NUM_THREADS=1, so that none is started.
 *   - Where the process holds it already, it is used as it is. */
#include "ops/ops.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Fortran: everything by reference, the lengths of the texts behind the last argument. */
typedef void dsyevd_fn(const char *job, const char *part, const int *n, double *a, const int *lda,
                       double *w, double *work, const int *lwork, int *iwork, const int *liwork,
                       int *info, size_t job_length, size_t part_length);

static struct {
    pthread_once_t once;
    dsyevd_fn *dsyevd; /* NULL: not to be had */
    char core[32], version[160], why[200];
} blas = {.once = PTHREAD_ONCE_INIT, .core = "none", .version = "none"};

const char *dg_blas_wanted_core(void)
{
    switch (dg_isa_of_cpu()) {
    case DG_AVX512:
        return "SkylakeX";
    case DG_AVX2:
        return "Haswell";
    default:
        return NULL;
    }
}

/* May another 512 MB be mapped? The library reserves a third of that at once, and its buffers
 * later. */
static bool room_to_load(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return true;
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f) {
        if (fscanf(f, "%lu", &pages) != 1) pages = 0;
        fclose(f);
    }
    unsigned long long used = (unsigned long long)pages * (unsigned long long)sysconf(_SC_PAGESIZE);
    if (limit.rlim_cur > used && limit.rlim_cur - used >= 512ull << 20) return true;
    snprintf(blas.why, sizeof blas.why,
             "the address space is limited to %llu MB, of which %llu MB are used; OpenBLAS needs "
             "512 MB more",
             (unsigned long long)limit.rlim_cur >> 20, used >> 20);
    return false;
}

/* ISO C has no conversion between object and function pointers; POSIX says that their
 * representation agrees. */
#define LOOK_UP(handle, name, into)                                                                \
    do {                                                                                           \
        void *found_ = dlsym(handle, name);                                                        \
        memcpy(&(into), &found_, sizeof found_);                                                   \
    } while (0)

static void load(void)
{
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "liblapack.so.3"};
    enum { NAMES = sizeof names / sizeof names[0] };
    void *library = RTLD_DEFAULT; /* which is NULL here */
    bool held = dlsym(library, "openblas_get_corename") && dlsym(library, "dsyevd_");
    for (int i = 0; !held && i < NAMES; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_NOLOAD);
        held = library != NULL && dlsym(library, "dsyevd_");
    }
    if (!held && !room_to_load()) return;
    for (int i = 0; !held && i < NAMES; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library && dlsym(library, "dsyevd_")) break;
        if (library) dlclose(library);
        library = NULL;
    }
    if (!held && !library) {
        snprintf(blas.why, sizeof blas.why,
                 "no OpenBLAS was found (package libopenblas0-pthread)");
        return;
    }
    char *(*core)(void), *(*config)(void);
    void (*threads)(int);
    LOOK_UP(library, "openblas_get_corename", core);
    LOOK_UP(library, "openblas_get_config", config);
    LOOK_UP(library, "openblas_set_num_threads", threads);
    if (!held && threads) threads(1);
    snprintf(blas.core, sizeof blas.core, "%s", core ? core() : "unknown");
    snprintf(blas.version, sizeof blas.version, "%s",
             config ? config() : "a BLAS that does not say its version");
    LOOK_UP(library, "dsyevd_", blas.dsyevd);
}

bool dg_blas_load(const char **why)
{
    pthread_once(&blas.once, load);
    if (!blas.dsyevd && why) *why = blas.why;
    return blas.dsyevd != NULL;
}

const char *dg_blas_core(void)
{
    return blas.core;
}

const char *dg_blas_version(void)
{
    return blas.version;
}

/* Doubles and ints that divide and conquer wants (LAPACK's own formulas). */
static int64_t eigh_doubles(int64_t n)
{
    return 1 + 6 * n + 2 * n * n;
}

static int64_t eigh_ints(int64_t n)
{
    return 3 + 5 * n;
}

int64_t dg_eigh_bytes(int64_t n)
{
    return eigh_doubles(n) * (int64_t)sizeof(double) + eigh_ints(n) * (int64_t)sizeof(int);
}

bool dg_eigh(int64_t n, double *a, double *w, double *room)
{
    pthread_once(&blas.once, load);
    if (!blas.dsyevd || eigh_doubles(n) > INT32_MAX) return false;
    int size = (int)n, doubles = (int)eigh_doubles(n), ints = (int)eigh_ints(n), info = 0;
    /* By columns or by rows is the same for a symmetric matrix; the vectors' columns are our rows.
     */
    blas.dsyevd("V", "L", &size, a, &size, w, room, &doubles, (int *)(void *)(room + doubles),
                &ints, &info, 1, 1);
    for (int64_t i = 0; info != 0 && i < n * n; i++) a[i] = NAN;
    for (int64_t i = 0; info != 0 && i < n; i++) w[i] = NAN;
    return true;
}
