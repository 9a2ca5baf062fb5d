/* fuzz/data_files.c: any bytes as an IDX file, plain or gzip, or as a PNG image, chosen by the
 * first byte: samples or one message. */
#include "compiler/base/os.h"
#include "runtime/data/dataset.h"
#include "runtime/data/png_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void read_idx(dg_diag *d, dg_arena *a, const char *path)
{
    dg_data_spec s = {.kind = "idx", .path = path, .range = {0, 1}, .train_part = 1};
    dg_dataset *set = dg_dataset_open(d, a, &s, 1);
    if ((set != NULL) == (dg_diag_errors(d) > 0)) abort();
    dg_dataset_close(set);
}

static void read_png(dg_diag *d, dg_arena *a, const char *path)
{
    dg_png p;
    bool ok = dg_png_read(d, a, path, 3, &p);
    if (ok == (dg_diag_errors(d) > 0)) abort();
    if (ok) free(p.pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n == 0) return 0;
    char path[64];
    int fd = memfd_create("input", 0);
    if (fd < 0 || !dg_write_all(fd, bytes + 1, n - 1)) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    (bytes[0] % 2 ? read_png : read_idx)(d, a, path);
    dg_arena_free(a);
    close(fd);
    return 0;
}
