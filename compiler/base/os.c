/* os.c: files, clocks and memory of the system.
 *
 * In     paths as users write them.
 * Out    bytes, or a message of the E50x family in the words of the user's problem (never a bare
 * strerror). Keeps  a file is replaced whole or not at all: written beside, synced, renamed, and
 * the folder synced. Folders, devices and pipes are refused before they are read, so that no path
 * makes dg wait for ever. */
#include "compiler/base/os.h"

#include "compiler/base/vec.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

/* -- memory -- */

#define HUGE_PAGE ((size_t)2 << 20)

static void (*oom_handler)(void); /* set once, by the program, before threads start */

void dg_set_oom_handler(void (*handler)(void))
{
    oom_handler = handler;
}

void dg_out_of_memory(void)
{
    if (oom_handler) oom_handler();
    static const char line[] = "dg: error[E601]: out of memory\n";
    (void)!write(STDERR_FILENO, line, sizeof line - 1);
    _exit(6);
}

/* From 2 MiB on, pages of our own at a huge page's boundary: the surplus before and behind is given
 * back. */
void *dg_large_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX / 2) return NULL;
    if (bytes < HUGE_PAGE) {
        size_t rounded = (bytes + 63) / 64 * 64;
        void *p = aligned_alloc(64, rounded == 0 ? 64 : rounded);
        if (p) memset(p, 0, rounded);
        return p;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE), rounded = (bytes + page - 1) / page * page;
    size_t all = rounded + HUGE_PAGE;
    unsigned char *at = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)at % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0) munmap(at, before);
    if (HUGE_PAGE - before > 0) munmap(at + before + rounded, HUGE_PAGE - before);
    madvise(at + before, rounded, MADV_HUGEPAGE); /* advice: nothing is lost when it is refused */
    return at + before;
}

void dg_large_free(void *p, size_t bytes)
{
    if (!p) return;
    if (bytes < HUGE_PAGE) {
        free(p);
        return;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap(p, (bytes + page - 1) / page * page);
}

/* -- words for what went wrong -- */

static const char *reason(int error)
{
    /* clang-format off */
    switch (error) {
    case ENOENT: return "it does not exist";
    case ENOTDIR: return "a part of the path is not a folder";
    case EACCES:
    case EPERM: return "permission denied";
    case EISDIR: return "it is a folder";
    case ELOOP: return "symbolic links in a circle";
    case ENAMETOOLONG: return "the path is too long";
    case EMFILE:
    case ENFILE: return "too many open files";
    case EROFS: return "the file system is read-only";
    case EIO: return "the device reports an error";
    case ENOSPC: return "the disk is full";
    case EDQUOT: return "the quota is used up";
    case EFBIG: return "the file would pass the size limit";
    case ENOMEM: return "out of memory";
    case EBADF: return "it is closed";
    case EPIPE: return "nobody reads it any more";
    case ETXTBSY: return "it is a program that is running";
    case EBUSY: return "it is in use";
    default: return strerrordesc_np(error) ? strerrordesc_np(error) : "unknown reason";
    }
    /* clang-format on */
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISCHR(mode)  ? "a device"
           : S_ISBLK(mode)  ? "a device"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "not a file";
}

/* In quotes, with what a terminal should not see escaped. */
static dg_text quoted(const char *s)
{
    dg_text t = {0};
    dg_text_add(&t, "'");
    dg_text_quote(&t, s, strlen(s));
    dg_text_add(&t, "'");
    return t;
}

static const char *place_of(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : *path ? path : "dg";
}

/* The folder's entry that comes closest to the missing name, in `path`'s own spelling of the
 * folder. */
static void suggest(dg_text *out, const char *path)
{
    const char *base = dg_path_base(path);
    size_t folder_length = (size_t)(base - path), length = strlen(base);
    char folder[PATH_MAX];
    if (length == 0 || folder_length >= sizeof folder) return;
    memcpy(folder, path, folder_length);
    folder[folder_length] = '\0';
    DIR *dir = opendir(folder_length > 0 ? folder : ".");
    if (!dir) return;
    int best = length < 4 ? 1 : length < 9 ? 2 : 3;
    char found[NAME_MAX + 1] = "";
    for (struct dirent *e; (e = readdir(dir));) {
        int distance = dg_edit_distance(base, e->d_name, best);
        if (e->d_name[0] == '.' || distance > best) continue;
        if (distance == best && found[0] && strcmp(e->d_name, found) > 0) continue;
        best = distance;
        snprintf(found, sizeof found, "%s", e->d_name);
    }
    closedir(dir);
    if (!found[0]) return;
    dg_text_add(out, " (did you mean '");
    dg_text_quote(out, folder, folder_length);
    dg_text_quote(out, found, strlen(found));
    dg_text_add(out, "'?)");
}

/* E501 for what is missing, E502 for what cannot be read. */
static bool cannot_read(dg_diag *d, const char *path, int error)
{
    dg_text q = quoted(path), hint = {0};
    if (error == ENOENT || error == ENOTDIR) {
        suggest(&hint, path);
        dg_error_at(d, "E501", place_of(path), "cannot open %s: %s%s", q.at, reason(error),
                    hint.at ? hint.at : "");
    } else {
        dg_error_at(d, "E502", place_of(path), "cannot read %s: %s", q.at, reason(error));
    }
    dg_text_free(&q);
    dg_text_free(&hint);
    return false;
}

/* E503 where there is no room, E505 for other reasons. `needed` is 0 when it is not known. */
static bool cannot_write(dg_diag *d, const char *path, int error, uint64_t needed)
{
    dg_text q = quoted(path);
    char buffer[32];
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
        if (needed > 0)
            dg_error_at(d, "E503", place_of(path), "cannot write %s: %s (needs %s)", q.at,
                        reason(error), dg_bytes_text(needed, buffer));
        else
            dg_error_at(d, "E503", place_of(path), "cannot write %s: %s", q.at, reason(error));
    } else {
        dg_error_at(d, "E505", place_of(path), "cannot write %s: %s", q.at, reason(error));
    }
    dg_text_free(&q);
    return false;
}

/* -- reading -- */

static bool too_large(dg_diag *d, const char *path, uint64_t length, size_t limit)
{
    char have[32], most[32];
    dg_text q = quoted(path);
    dg_error_at(d, "E504", place_of(path), "%s has %s%s, more than the %s that are read", q.at,
                length > limit ? "" : "more than ", dg_bytes_text(length, have),
                dg_bytes_text(limit, most));
    dg_text_free(&q);
    return false;
}

/* A regular file, open for reading; -1 after reporting. O_NONBLOCK: opening a pipe must not wait
 * for its writer. */
static int open_regular(dg_diag *d, const char *path, struct stat *st)
{
    int fd;
    do fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        cannot_read(d, path, errno);
        return -1;
    }
    if (fstat(fd, st) != 0) {
        cannot_read(d, path, errno);
    } else if (!S_ISREG(st->st_mode)) {
        dg_text q = quoted(path);
        dg_error_at(d, "E502", place_of(path), "%s is %s, a file is wanted", q.at,
                    kind_of(st->st_mode));
        dg_text_free(&q);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

bool dg_file_read(dg_diag *d, const char *path, size_t limit, dg_file *out)
{
    bool standard = strcmp(path, "-") == 0;
    struct stat st = {0};
    int fd = standard ? STDIN_FILENO : open_regular(d, path, &st);
    if (fd < 0) return false;
    bool ok = false;
    uint8_t *bytes = NULL;
    size_t n = 0, room = 1;
    if (!standard && (uint64_t)st.st_size > limit) {
        too_large(d, path, (uint64_t)st.st_size, limit);
        goto done;
    }
    room += standard
                ? 65536
                : (size_t)st.st_size; /* one more: the read that finds the end, then a final NUL */
    bytes = malloc(room);
    if (!bytes) goto no_memory;
    for (;;) {
        ssize_t got = read(fd, bytes + n, room - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            cannot_read(d, path, errno);
            goto done;
        }
        n += (size_t)got;
        if (n > limit) {
            too_large(d, path, limit, limit);
            goto done;
        }
        if (got == 0) break;
        if (n == room) { /* a pipe, or a file that grows while it is read */
            uint8_t *more = realloc(bytes, 2 * room);
            if (!more) goto no_memory;
            bytes = more;
            room *= 2;
        }
    }
    bytes[n] = 0;
    *out = (dg_file){.path = path, .bytes = bytes, .length = n};
    ok = true;
    goto done;
no_memory:
    dg_error_at(d, "E601", place_of(path), "out of memory while reading");
done:
    if (!ok) free(bytes);
    if (!standard) close(fd);
    return ok;
}

bool dg_file_map(dg_diag *d, const char *path, dg_file *out)
{
    struct stat st;
    int fd = open_regular(d, path, &st);
    if (fd < 0) return false;
    if (st.st_size == 0) { /* nothing cannot be mapped */
        close(fd);
        return dg_file_read(d, path, 0, out);
    }
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int error = errno;
    close(fd);
    if (at == MAP_FAILED) return cannot_read(d, path, error);
    *out = (dg_file){.path = path, .bytes = at, .length = (size_t)st.st_size, .mapped = true};
    return true;
}

void dg_file_forget(const dg_file *f, const void *from, size_t bytes)
{
    if (!f->mapped) return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)from;
    uintptr_t first = (at + page - 1) / page * page, end = (at + bytes) / page * page;
    if (end > first) madvise((void *)first, end - first, MADV_DONTNEED);
}

uint64_t dg_file_hash(const dg_file *f)
{
    enum { CHUNK = 4 << 20 };
    XXH64_state_t *state = XXH64_createState();
    if (!state) dg_out_of_memory();
    XXH64_reset(state, 0);
    for (size_t at = 0; at < f->length; at += CHUNK) {
        size_t n = f->length - at < CHUNK ? f->length - at : CHUNK;
        XXH64_update(state, f->bytes + at, n);
        dg_file_forget(f, f->bytes + at, n);
    }
    uint64_t hash = XXH64_digest(state);
    XXH64_freeState(state);
    return hash;
}

void dg_file_close(dg_file *f)
{
    if (f->mapped)
        munmap((void *)(uintptr_t)f->bytes, f->length);
    else
        free((void *)(uintptr_t)f->bytes);
    *f = (dg_file){0};
}

/* -- writing -- */

bool dg_write_all(int fd, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    while (n > 0) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        at += put;
        n -= (size_t)put;
    }
    return true;
}

static bool sync_retry(int fd)
{
    int result;
    do result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* Some file systems cannot sync a folder, and say so with EINVAL; there is nothing more to do
 * there. */
static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = sync_retry(fd) || errno == EINVAL;
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

/* Devices and pipes (/dev/stdout, /dev/full) are written where they are: renaming over them would
 * replace them. */
static bool write_in_place(dg_diag *d, const char *path, bool (*write)(int fd, void *ctx),
                           void *ctx, uint64_t needed)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return cannot_write(d, path, errno, 0);
    bool ok = write(fd, ctx);
    int error = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    return ok || cannot_write(d, path, error, needed);
}

static bool replace(dg_diag *d, const char *given, bool (*write)(int fd, void *ctx), void *ctx,
                    uint64_t needed, bool sync)
{
    struct stat st;
    char real[PATH_MAX], beside[PATH_MAX];
    const char *path = given;
    if (stat(given, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return cannot_write(d, given, EISDIR, 0);
        if (!S_ISREG(st.st_mode)) return write_in_place(d, given, write, ctx, needed);
        if (lstat(given, &st) == 0 && S_ISLNK(st.st_mode) && realpath(given, real))
            path = real; /* the file behind the link is replaced, the link stays */
    }
    const char *base = dg_path_base(path);
    if (*base == '\0') return cannot_write(d, given, *path ? EISDIR : ENOENT, 0);
    int length = snprintf(beside, sizeof beside, "%s.tmp-%ld", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof beside)
        return cannot_write(d, given, ENAMETOOLONG, 0);

    int fd;
    do fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return cannot_write(d, given, errno, needed);
    bool ok = write(fd, ctx) && (!sync || sync_retry(fd));
    int error = errno;
    if (close(fd) != 0 && ok && errno != EINTR) {
        ok = false;
        error = errno;
    }
    if (ok && rename(beside, path) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok) {
        unlink(beside);
        return cannot_write(d, given, error, needed);
    }
    if (!sync) return true;
    char folder[PATH_MAX];
    size_t folder_length = (size_t)(base - path);
    memcpy(folder, path, folder_length);
    folder[folder_length] = '\0';
    if (!sync_folder(folder_length > 0 ? folder : ".")) return cannot_write(d, given, errno, 0);
    return true;
}

bool dg_file_replace_with(dg_diag *d, const char *path, bool (*write)(int fd, void *ctx), void *ctx)
{
    return replace(d, path, write, ctx, 0, true);
}

typedef struct bytes_at_hand {
    const void *bytes;
    size_t length;
} bytes_at_hand;

static bool write_bytes(int fd, void *ctx)
{
    const bytes_at_hand *b = ctx;
    return dg_write_all(fd, b->bytes, b->length);
}

bool dg_file_replace(dg_diag *d, const char *path, const void *bytes, size_t length)
{
    bytes_at_hand b = {bytes, length};
    return replace(d, path, write_bytes, &b, length, true);
}

bool dg_file_replace_soon(dg_diag *d, const char *path, const void *bytes, size_t length)
{
    bytes_at_hand b = {bytes, length};
    return replace(d, path, write_bytes, &b, length, false);
}

bool dg_make_folders(dg_diag *d, const char *path)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0) return cannot_write(d, path, ENOENT, 0);
    if (n >= sizeof part) return cannot_write(d, path, ENAMETOOLONG, 0);
    for (size_t i = 1; i <= n; i++) {
        if (i < n && path[i] != '/') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) return cannot_write(d, path, errno, 0);
    }
    return dg_path_is_folder(path) || cannot_write(d, path, ENOTDIR, 0);
}

/* -- paths -- */

bool dg_path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool dg_path_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *dg_path_join(dg_arena *a, const char *folder, const char *name)
{
    size_t n = strlen(folder);
    if (name[0] == '/' || n == 0 || strcmp(folder, ".") == 0)
        return dg_arena_text(a, name, strlen(name));
    return dg_arena_printf(a, "%s%s%s", folder, folder[n - 1] == '/' ? "" : "/", name);
}

char *dg_path_folder(dg_arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return dg_arena_text(a, ".", 1);
    return dg_arena_text(a, path, slash == path ? 1 : (size_t)(slash - path));
}

const char *dg_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool dg_folder_list(dg_diag *d, dg_arena *a, const char *path, char ***names, size_t *n)
{
    DIR *dir = opendir(path);
    if (!dir) return cannot_read(d, path, errno);
    DG_VEC(char *) list = {0};
    errno = 0;
    for (struct dirent *e; (e = readdir(dir)); errno = 0) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        dg_vec_push(&list, dg_arena_text(a, e->d_name, strlen(e->d_name)));
    }
    int error = errno;
    closedir(dir);
    if (error != 0) {
        dg_vec_free(&list);
        return cannot_read(d, path, error);
    }
    if (list.n > 0) qsort(list.at, list.n, sizeof *list.at, by_name);
    *n = list.n;
    dg_vec_seal(&list, a, *names);
    return true;
}

/* -- clocks and the process -- */

double dg_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void dg_utc_now(char out[32])
{
    time_t now = time(NULL);
    struct tm t;
    if (!gmtime_r(&now, &t) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &t) == 0)
        strcpy(out, "1970-01-01T00:00:00Z");
}

size_t dg_rss_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return 0;
    if (fscanf(f, "%*u %lu", &pages) != 1) pages = 0;
    fclose(f);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

size_t dg_rss_peak_bytes(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (size_t)u.ru_maxrss * 1024 : 0;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

void dg_cpu_times_now(dg_cpu_times *out)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, KINDS };
    unsigned long long t[KINDS] = {0};
    struct rusage u;
    *out = (dg_cpu_times){0};
    if (getrusage(RUSAGE_SELF, &u) == 0) out->own = seconds_of(u.ru_utime) + seconds_of(u.ru_stime);
    FILE *f = fopen("/proc/stat", "re");
    if (!f) return;
    int n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[USER], &t[NICE], &t[SYSTEM],
                   &t[IDLE], &t[IOWAIT], &t[IRQ], &t[SOFTIRQ], &t[STEAL]);
    fclose(f);
    double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
    for (int i = 0; i < n; i++) {
        out->all += (double)t[i] * tick;
        if (i != IDLE && i != IOWAIT) out->busy += (double)t[i] * tick;
    }
}

char *dg_program_path(dg_arena *a)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    return n > 0 && (size_t)n < sizeof path ? dg_arena_text(a, path, (size_t)n) : NULL;
}

/* The link map names the program itself "": what dladdr says of it is argv[0], which may be found
 * in another folder by now. */
char *dg_module_path(dg_arena *a, const void *address)
{
    Dl_info info;
    struct link_map *map = NULL;
    char path[PATH_MAX];
    if (dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || !map ||
        map->l_name[0] == '\0' || !realpath(map->l_name, path))
        return dg_program_path(a);
    return dg_arena_text(a, path, strlen(path));
}
