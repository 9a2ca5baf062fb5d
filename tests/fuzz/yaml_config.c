/* fuzz/yaml_config.c: any bytes as a run file: a config or messages, and what is written reads
 * back. */
#include "runtime/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    dg_config *c = dg_config_parse(d, a, "run.yaml", (const char *)bytes, n, NULL);
    if (!c && dg_diag_errors(d) == 0) abort();
    if (c) {
        dg_text text = {0};
        dg_config_write(c, &text);
        if (!dg_config_parse(d, a, "run.yaml", text.at, text.n, NULL)) abort();
        dg_text_free(&text);
    }
    dg_arena_free(a);
    return 0;
}
