/* op_check.c: a case of op_check.h from its beginning to its end, and a test program of many. */
#include "tests/support/op_check_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- a case ---- */

const char *op_check(const dg_op *op, const op_case *c, dg_arena *arena)
{
    op_checked k = {.op = op, .c = c, .arena = arena};
    dg_value in[OP_MOST];
    double *want[OP_MOST];
    dg_node node = op_case_build(&k, false, in);
    if (k.m) test_module_free(k.m);
    k.m = NULL;
    if (c->message) {
        if (node != DG_NONE) return "accepted, though it should be refused";
        if (!strstr(k.wrong, c->message))
            return dg_arena_printf(arena, "the refusal is not \"%s\": %s", c->message, k.wrong);
        return NULL;
    }
    if (node == DG_NONE) return k.wrong;
    if (!op->ref) return NULL; /* the executor's own */
    op_case_fill(&k, 0, k.value);
    op_failure f = {.any = 0};
    op_run_reference(&k, k.value, want, &f);
    if (c->fails) {
        if (!f.any || !strstr(f.text, c->fails))
            return dg_arena_printf(arena, "the reference does not fail so, but: \"%s\"", f.text);
        op_check_kernels(&k, want);
        return k.wrong;
    }
    if (f.any) return dg_arena_printf(arena, "the reference fails: %s", f.text);
    bool good = op_check_kernels(&k, want) && op_check_view(&k, want) && op_check_rewrites(&k) &&
                op_check_stack(&k);
    if (good && op->grad && !c->no_grad_check && k.n_in > 0) {
        good = op_check_gradient(&k, false);
        if (good && !c->no_second_check) op_check_gradient(&k, true);
    }
    return k.wrong;
}

const double *op_reference(const dg_op *op, const op_case *c, dg_arena *arena, int64_t *n)
{
    op_checked k = {.op = op, .c = c, .arena = arena};
    dg_value in[OP_MOST];
    double *out[OP_MOST];
    dg_node node = op_case_build(&k, false, in);
    if (k.m) test_module_free(k.m);
    if (node == DG_NONE) return NULL;
    op_case_fill(&k, 0, k.value);
    op_failure f = {.any = 0};
    op_run_reference(&k, k.value, out, &f);
    *n = dg_shape_count(&k.out[0].shape);
    return out[0];
}

/* ---- cmocka ---- */

typedef struct job {
    const dg_op *op;
    const op_case *c;
} job;

static void run_job(void **state)
{
    const job *j = *state;
    dg_arena *arena = dg_arena_new();
    const char *text = op_check(j->op, j->c, arena);
    if (text) print_error("%s(%s) {%s}: %s\n", j->op->name, j->c->types, j->c->attrs, text);
    bool good = !text;
    dg_arena_free(arena);
    assert_true(good);
}

int op_test(const char *name, const op_case *cases, int n)
{
    dg_arena *arena = dg_arena_new();
    const dg_op *op = dg_op_find(name);
    if (!op) {
        print_error("there is no op %s\n", name);
        return 1;
    }
    struct CMUnitTest *tests = DG_NEW_ARRAY(arena, struct CMUnitTest, n);
    for (int i = 0; i < n; i++) {
        job *j = DG_NEW(arena, job);
        *j = (job){op, &cases[i]};
        tests[i] = (struct CMUnitTest){.name = dg_arena_printf(arena, "%s %s{%s}",
                                                               cases[i].message ? "BAD" : "OK",
                                                               cases[i].types, cases[i].attrs),
                                       .test_func = run_job,
                                       .initial_state = j};
    }
    int failed = _cmocka_run_group_tests(name, tests, (size_t)n, NULL, NULL);
    dg_arena_free(arena);
    return failed;
}
