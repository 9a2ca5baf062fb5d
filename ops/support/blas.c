/* blas.c: the one file that knows BLAS, and LAPACK, which OpenBLAS brings along. It is loaded when
 * the first product asks for it, never linked.
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

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };

typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                      int lda, const float *b, int ldb, float beta, float *c, int ldc);

/* Fortran: everything by reference, the lengths of the texts behind the last argument. */
typedef void dsyevd_fn(const char *job, const char *part, const int *n, double *a, const int *lda,
                       double *w, double *work, const int *lwork, int *iwork, const int *liwork,
                       int *info, size_t job_length, size_t part_length);

static struct {
    pthread_once_t once;
    sgemm_fn *sgemm;   /* NULL: not to be had */
    dsyevd_fn *dsyevd; /* the same */
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
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libcblas.so.3",
                                        "libblas.so.3"};
    enum { NAMES = sizeof names / sizeof names[0] };
    void *library = RTLD_DEFAULT; /* which is NULL here */
    bool held = dlsym(library, "openblas_get_corename") && dlsym(library, "cblas_sgemm");
    for (int i = 0; !held && i < NAMES; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_NOLOAD);
        held = library != NULL && dlsym(library, "cblas_sgemm");
    }
    if (!held && !room_to_load()) return;
    for (int i = 0; !held && i < NAMES; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library && dlsym(library, "cblas_sgemm")) break;
        if (library) dlclose(library);
        library = NULL;
    }
    if (!held && !library) {
        snprintf(
            blas.why, sizeof blas.why,
            "no OpenBLAS was found (package libopenblas0-pthread); plain loops are used instead");
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
    LOOK_UP(library, "cblas_sgemm", blas.sgemm);
    LOOK_UP(library, "dsyevd_", blas.dsyevd);
}

bool dg_blas_load(const char **why)
{
    pthread_once(&blas.once, load);
    if (!blas.sgemm && why) *why = blas.why;
    return blas.sgemm != NULL;
}

const char *dg_blas_core(void)
{
    return blas.core;
}

const char *dg_blas_version(void)
{
    return blas.version;
}

/* Rows of C by rows of B: the inner loop runs along a row of both. */
static void plain(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                  int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++) {
        float *row = c + i * ldc;
        for (int64_t p = 0; !tb && p < k; p++) {
            float x = alpha * (ta ? a[p * lda + i] : a[i * lda + p]);
            const float *y = b + p * ldb;
            for (int64_t j = 0; j < n; j++) row[j] += x * y[j];
        }
        for (int64_t j = 0; tb && j < n; j++) {
            const float *y = b + j * ldb;
            float sum = 0;
            for (int64_t p = 0; p < k; p++) sum += (ta ? a[p * lda + i] : a[i * lda + p]) * y[p];
            row[j] += alpha * sum;
        }
    }
}

void dg_sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
              int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    enum { SMALL = 2048 }; /* multiplications: a call costs about as much */
    if (m <= 0 || n <= 0) return;
    pthread_once(&blas.once, load);
    if (blas.sgemm && k > 0 && (m > SMALL || n > SMALL || k > SMALL || m * n * k > SMALL)) {
        blas.sgemm(ROW_MAJOR, ta ? TRANS : NO_TRANS, tb ? TRANS : NO_TRANS, (int)m, (int)n, (int)k,
                   alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
        return;
    }
    for (int64_t i = 0; i < m; i++) {
        if (beta == 0)
            memset(c + i * ldc, 0, sizeof(float) * (size_t)n); /* what stood there may be NaN */
        else if (beta != 1)
            for (int64_t j = 0; j < n; j++) c[i * ldc + j] *= beta;
    }
    plain(ta, tb, m, n, k, alpha, a, lda, b, ldb, c, ldc);
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
    /* By columns or by rows is the same for a symmetric matrix; the vectors' columns are our rows. */
    blas.dsyevd("V", "L", &size, a, &size, w, room, &doubles, (int *)(void *)(room + doubles),
                &ints, &info, 1, 1);
    for (int64_t i = 0; info != 0 && i < n * n; i++) a[i] = NAN;
    for (int64_t i = 0; info != 0 && i < n; i++) w[i] = NAN;
    return true;
}
