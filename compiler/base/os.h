/* os.h: files, clocks, signals of memory: what differs between systems. */
#ifndef DG_BASE_OS_H
#define DG_BASE_OS_H

#include "compiler/base/diag.h"

#include <stdio.h>

/* A file read whole, or mapped. Reports E5xx on failure: E501 missing (with a "did you mean" among
 * the folder's files), E502 not readable, a folder, a device, E504 larger than `limit`. */
typedef struct dg_file {
    const char *path;
    const uint8_t *bytes;
    size_t length;
    bool mapped;
} dg_file;
bool dg_file_read(dg_diag *d, const char *path, size_t limit,
                  dg_file *out);                              /* "-" is standard input */
bool dg_file_map(dg_diag *d, const char *path, dg_file *out); /* read-only, for large files */
/* Bytes that were read and are not wanted again soon: pages of a mapped file that lie wholly in them
 * need no memory until they are. */
void dg_file_forget(const dg_file *f, const void *from, size_t bytes);
uint64_t dg_file_hash(const dg_file *f); /* as dg_hash; a mapped file is forgotten on the way */
void dg_file_close(dg_file *f);

/* Written beside as NAME.tmp-PID, synced, renamed, the folder synced: whole or absent at any
 * instant. Reports E503 (disk full, with the bytes needed) or E505. `write` returns false on an I/O
 * error with errno set; dg_file_replace is for bytes at hand. */
bool dg_file_replace(dg_diag *d, const char *path, const void *bytes, size_t length);
bool dg_file_replace_with(dg_diag *d, const char *path, bool (*write)(int fd, void *ctx),
                          void *ctx);
/* The same, not synced: for what can be made again. Others see the old file or the whole new one;
 * after a loss of power it may be gone. */
bool dg_file_replace_soon(dg_diag *d, const char *path, const void *bytes, size_t length);
bool dg_write_all(int fd, const void *bytes, size_t n); /* retries EINTR and short writes */
bool dg_make_folders(dg_diag *d, const char *path);     /* mkdir -p */
bool dg_path_exists(const char *path);
bool dg_path_is_folder(const char *path);
char *dg_path_join(dg_arena *a, const char *folder, const char *name); /* `name` if absolute */
char *dg_path_folder(dg_arena *a, const char *path);                   /* "." when there is none */
const char *dg_path_base(const char *path);                            /* last part */
/* Sorted names in a folder (no "." and ".."); reports E502. */
bool dg_folder_list(dg_diag *d, dg_arena *a, const char *path, char ***names, size_t *n);

double dg_clock(void);         /* seconds, monotonic */
void dg_utc_now(char out[32]); /* 2026-01-05T12:00:30Z */
size_t dg_rss_bytes(void);     /* resident now */
size_t dg_rss_peak_bytes(void);
/* CPU seconds since some fixed time: of all CPUs together, of these the busy ones, and of this
 * process. */
typedef struct dg_cpu_times {
    double all, busy, own;
} dg_cpu_times;
void dg_cpu_times_now(dg_cpu_times *out);
char *dg_program_path(dg_arena *a); /* of the running program, NULL when unknown */
char *
dg_module_path(dg_arena *a,
               const void *address); /* of the shared object or program that holds `address` */

/* Large allocations can fail: NULL, and the caller reports E601. Aligned to 64 bytes (2 MiB and
 * more: huge pages asked for). Zeroed. */
void *dg_large_alloc(size_t bytes);
void dg_large_free(void *p, size_t bytes);

/* Called when a small allocation fails. The default prints one line and exits with 6; the library
 * installs none of its own. */
void dg_set_oom_handler(void (*handler)(void));
void dg_out_of_memory(void) __attribute__((noreturn));

#endif
