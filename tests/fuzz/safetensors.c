/* fuzz/safetensors.c: any bytes as weights: tensors that lie in the file, or one message. */
#include "runtime/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    dg_st_file f = {0};
    bool ok = dg_st_parse(d, a, "w.safetensors", bytes, n, &f);
    if (ok == (dg_diag_errors(d) > 0)) abort();
    for (int i = 0; ok && i < f.n; i++)
        if (f.tensors[i].bytes > n || f.tensors[i].offset > n - f.tensors[i].bytes) abort();
    dg_arena_free(a);
    return 0;
}
