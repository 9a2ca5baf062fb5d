/* fuzz/npy.c: any bytes as a NumPy array: an array or one message. */
#include "runtime/data/npy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    dg_npy out;
    bool ok = dg_npy_parse(d, a, "x.npy", bytes, n, &out);
    if (ok == (dg_diag_errors(d) > 0)) abort();
    dg_arena_free(a);
    return 0;
}
