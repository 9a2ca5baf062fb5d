/* tests/passes/compile.c: the driver: one text gives one plan, dumps continue, initialisers are
 * made for what is missing. */
#include "compiler/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const char source[] =
    "config width = 16\n"
    "block dense(x: f32[B, D], n: int) {\n"
    "  param w : f32[D, n] = 0.1 * randn@init(dims)\n"
    "  param b : f32[n] = 0\n"
    "  return matmul(x, w) + b[_, :]\n"
    "}\n"
    "model net = fn(x) => dense@out(silu(dense@hidden(x, width)), 1)\n"
    "train step(x: f32[8, 4], y: f32[8, 1]) -> f32 {\n"
    "  loss = mean(square(net(x) - y))\n"
    "  for (p, g) in zip(params(net), grad(loss, params(net))) { p := p - 0.1 * g }\n"
    "  return loss\n"
    "}\n"
    "entry many(x: f32[8, 4], trips: int = 5) -> f32[8, 4] {\n"
    "  loop i in 0..trips { x = 0.5 * x + tanh(x) * net(x) }\n"
    "  return x\n"
    "}\n";

typedef struct made {
    dg_arena *arena;
    dg_diag *diag;
    dg_compilation *c;
    dg_plan *plan;
    dg_text dump;
} made;

static made compile(const char *entry, const char *dump, const char *from, bool reference,
                    const char *const *skip)
{
    made x = {.arena = dg_arena_new()};
    x.diag = dg_diag_new(x.arena, dg_sources_new(x.arena));
    dg_front_options front = {.path = "test.dg",
                              .text = source,
                              .length = sizeof source - 1,
                              .lib = (const char *[]){NULL}};
    dg_compile_options o = {
        .source = &front,
        .entry = entry,
        .passes = {.isa = DG_GENERIC, .reference = reference, .skip = skip, .verify = true},
        .dump = dump,
        .dump_text = &x.dump,
        .from = from,
        .from_name = "dump",
        .from_length = from ? strlen(from) : 0};
    x.c = dg_compile(x.diag, &o);
    x.plan = x.c ? dg_compilation_plan(x.c) : NULL;
    return x;
}

static void drop(made *x)
{
    if (x->plan) dg_plan_free(x->plan);
    dg_compilation_free(x->c);
    dg_text_free(&x->dump);
    dg_arena_free(x->arena);
}

static void no_errors(const made *x)
{
    dg_text text = {0};
    for (size_t i = 0; i < dg_diag_count(x->diag); i++)
        dg_message_text(x->diag, dg_diag_at(x->diag, i), false, &text);
    if (dg_diag_errors(x->diag)) fail_msg("%s", text.at);
    dg_text_free(&text);
}

static void the_same_plan_each_time(void **state)
{
    (void)state;
    static const char *const entries[] = {"step", "many"};
    for (int e = 0; e < 2; e++) {
        made a = compile(entries[e], NULL, NULL, false, NULL),
             b = compile(entries[e], NULL, NULL, false, NULL);
        no_errors(&a);
        assert_non_null(a.plan);
        dg_text x = {0}, y = {0};
        dg_explain_json(a.plan, &(dg_explain_options){.canonical = true, .threads = 1}, &x);
        dg_explain_json(b.plan, &(dg_explain_options){.canonical = true, .threads = 1}, &y);
        assert_string_equal(x.at, y.at);
        dg_text_free(&x);
        dg_text_free(&y);
        drop(&a);
        drop(&b);
    }
}

/* From the dump of any stage the same steps follow. */
static void dumps_continue(void **state)
{
    (void)state;
    static const char *const entries[] = {"step", "many"};
    for (int e = 0; e < 2; e++) {
        made whole = compile(entries[e], NULL, NULL, false, NULL);
        no_errors(&whole);
        const char *stage = "graph";
        for (int i = -1; i < 0 || (dg_pass_at(i) && (stage = dg_pass_at(i)->name) != NULL); i++) {
            if (i >= 0 && dg_pass_at(i)->choice) continue;
            made dump = compile(entries[e], stage, NULL, false, NULL);
            no_errors(&dump);
            assert_null(dump.plan);
            assert_non_null(dump.dump.at);
            made again = compile(NULL, NULL, dump.dump.at, false, NULL);
            no_errors(&again);
            assert_non_null(again.plan);
            if (again.plan->n_steps != whole.plan->n_steps)
                fail_msg("%s from %s: %d steps, %d wanted", entries[e], stage, again.plan->n_steps,
                         whole.plan->n_steps);
            assert_int_equal(again.plan->arena_bytes, whole.plan->arena_bytes);
            for (int s = 0; s < whole.plan->n_steps; s++)
                assert_string_equal(again.plan->steps[s].label, whole.plan->steps[s].label);
            drop(&dump);
            drop(&again);
        }
        drop(&whole);
    }
}

static void other_dumps(void **state)
{
    (void)state;
    static const char *const stages[] = {"ast", "memplan", "plan"};
    for (int i = 0; i < 3; i++) {
        made x = compile("step", stages[i], NULL, false, NULL);
        no_errors(&x);
        assert_true(x.dump.n > 20);
        drop(&x);
    }
    made x = compile("step", "fusion", NULL, false, NULL);
    assert_null(x.c);
    assert_string_equal(dg_diag_at(x.diag, 0)->id, "E213");
    drop(&x);
}

static void passes_can_be_left_out(void **state)
{
    (void)state;
    made all = compile("step", NULL, NULL, false, NULL);
    const dg_pass_info *p;
    for (int i = 0; (p = dg_pass_at(i)) != NULL; i++) {
        if (!p->optional) continue;
        made x = compile("step", NULL, NULL, false, (const char *const[]){p->name, NULL});
        no_errors(&x);
        assert_non_null(x.plan);
        if (strcmp(p->name, "fuse") == 0) assert_true(x.plan->n_steps > all.plan->n_steps);
        drop(&x);
    }
    drop(&all);
}

static void the_reference_is_double(void **state)
{
    (void)state;
    made x = compile("step", NULL, NULL, true, NULL);
    no_errors(&x);
    assert_non_null(x.plan);
    assert_true(x.plan->reference);
    for (int i = 0; i < x.plan->n_values; i++)
        assert_int_not_equal(x.plan->values[i].type->dtype, DG_F32);
    for (int i = 0; i < x.plan->n_places; i++)
        assert_int_equal(x.plan->places[i].type.dtype, DG_F64);
    drop(&x);
}

static int written(const dg_plan *p)
{
    int n = 0;
    for (int i = 0; i < p->n_places; i++) n += p->places[i].written;
    return n;
}

static void initialisers_of_what_is_missing(void **state)
{
    (void)state;
    made x = compile("step", NULL, NULL, false, NULL);
    no_errors(&x);
    assert_int_equal(x.plan->n_places, 4);
    bool present[4] = {false};
    for (int k = 0; k <= 4; k++) {
        dg_plan *init = dg_compile_init(x.c, x.diag, present);
        no_errors(&x);
        if (k == 4) {
            assert_null(init);
            break;
        }
        assert_non_null(init);
        assert_int_equal(init->n_places, 4);
        assert_int_equal(written(init), 4 - k);
        for (int i = 0; i < 4; i++) assert_int_equal(init->places[i].written, !present[i]);
        dg_plan_free(init);
        present[k] = true;
    }
    drop(&x);
}

static void entries_are_found(void **state)
{
    (void)state;
    made x = compile("stpe", NULL, NULL, false, NULL);
    assert_null(x.c);
    assert_int_equal(dg_diag_count(x.diag), 1);
    const dg_message *m = dg_diag_at(x.diag, 0);
    assert_string_equal(m->id, "E131");
    assert_non_null(strstr(m->notes[0].text, "step"));
    drop(&x);
    x = compile(NULL, NULL, NULL, false, NULL); /* two could be meant */
    assert_null(x.c);
    drop(&x);
}

static void stages_are_timed(void **state)
{
    (void)state;
    made x = compile("step", NULL, NULL, false, NULL);
    int n = x.plan->n_stages;
    const dg_stage_time *t = x.plan->stages;
    double sum = 0;
    for (int i = 0; i < n; i++) sum += t[i].seconds;
    assert_true(n > 8);
    assert_string_equal(t[0].stage, "front");
    assert_string_equal(t[n - 1].stage, "check");
    assert_true(sum <= x.plan->seconds * 1.001 && x.plan->seconds < 5);
    assert_true(x.plan->nodes > x.plan->n_steps);
    drop(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_plan_each_time),
        cmocka_unit_test(dumps_continue),
        cmocka_unit_test(other_dumps),
        cmocka_unit_test(passes_can_be_left_out),
        cmocka_unit_test(the_reference_is_double),
        cmocka_unit_test(initialisers_of_what_is_missing),
        cmocka_unit_test(entries_are_found),
        cmocka_unit_test(stages_are_timed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
