/* elaborate.c: any text through the elaborator: every entry of it, and the check without an entry.
 *
 * A module comes back, or a message of the language's range: never neither, never an internal one.
 */
#include "compiler/front/front.h"
#include "compiler/ir/print.h"
#include "compiler/ir/rewrite.h"
#include "compiler/ir/verify.h"
#include "ops/ops.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_messages(const dg_diag *d)
{
    for (size_t i = 0; i < dg_diag_count(d); i++) {
        const dg_message *m = dg_diag_at(d, i);
        if (m->id[1] != '0' || !dg_explain(m->id)) abort();
        dg_text text = {0};
        dg_message_text(d, m, false, &text);
        dg_text_free(&text);
    }
}

static void elaborate(dg_front *f, dg_diag *d, const dg_entry_info *e)
{
    dg_arena *a = dg_arena_new();
    dg_diag_clear(d);
    dg_module *m = dg_front_elaborate(f, a, e, NULL, 0, dg_op_find);
    if (!m != (dg_diag_errors(d) > 0)) abort();
    check_messages(d);
    if (m) {
        if (!dg_verify(m, "front")) abort();
        dg_text text = {0};
        dg_module_tidy_init(m);
        dg_print_module(m, &text);
        dg_text_free(&text);
        dg_module_free(m);
    }
    dg_arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    dg_front_options o = {.path = "fuzz.dg", .text = (const char *)bytes, .length = n};
    dg_front *f = n > 0 ? dg_front_open(a, d, &o) : NULL;
    check_messages(d);
    if (f) {
        const dg_entry_info *e;
        int entries = dg_front_entries(f, &e);
        for (int i = 0; i < entries && i < 4; i++) elaborate(f, d, &e[i]);
        dg_diag_clear(d);
        dg_front_check(f, a);
        check_messages(d);
    }
    dg_arena_free(a);
    return 0;
}
