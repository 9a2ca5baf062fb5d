/* tests/ir/types.c: dtypes, shapes, broadcasting, attributes, views. */
#include "compiler/ir/attr.h"
#include "compiler/ir/kernel.h"
#include "compiler/ir/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void sizes(void **state)
{
    (void)state;
    dg_shape s = DG_SHAPE(2, 3, 4), scalar = DG_SCALAR;
    dg_type t = {DG_F32, s};
    assert_int_equal(dg_shape_count(&s), 24);
    assert_int_equal(dg_shape_count(&scalar), 1);
    assert_int_equal(dg_type_bytes(&t), 96);
    assert_true(dg_shape_equal(&s, &DG_SHAPE(2, 3, 4)));
    assert_false(dg_shape_equal(&s, &DG_SHAPE(2, 3)));
    assert_true(dg_shape_fits(&s, DG_F64));
    assert_false(dg_shape_fits(&DG_SHAPE(1 << 24, 1 << 24), DG_F32));
    assert_false(dg_shape_fits(&DG_SHAPE(INT64_MAX, INT64_MAX), DG_BOOL));
    assert_true(dg_shape_fits(&DG_SHAPE(INT64_MAX, 0), DG_F32)); /* kernels take empty ones */
    assert_false(dg_shape_fits(&DG_SHAPE(-1), DG_F32));
}

static void broadcasting(void **state)
{
    (void)state;
    dg_shape out;
    int axis = 7;
    assert_true(dg_broadcast(&DG_SHAPE(2, 1, 4), &DG_SHAPE(1, 3, 4), &out, &axis));
    assert_true(dg_shape_equal(&out, &DG_SHAPE(2, 3, 4)));
    assert_true(dg_broadcast(&DG_SCALAR, &DG_SHAPE(5), &out, NULL));
    assert_true(dg_shape_equal(&out, &DG_SHAPE(5)));
    assert_false(dg_broadcast(&DG_SHAPE(2, 3), &DG_SHAPE(2, 4), &out, &axis));
    assert_int_equal(axis, 1);
    assert_false(dg_broadcast(&DG_SHAPE(3), &DG_SHAPE(2, 3), &out, &axis)); /* no left padding */
    assert_int_equal(axis, -1);
    assert_true(dg_broadcasts_to(&DG_SHAPE(1, 3), &DG_SHAPE(2, 3)));
    assert_false(dg_broadcasts_to(&DG_SHAPE(2, 3), &DG_SHAPE(1, 3)));
}

static void texts(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    char buffer[96];
    assert_string_equal(dg_type_name(a, &(dg_type){DG_F32, DG_SHAPE(8, 96)}), "f32[8, 96]");
    assert_string_equal(dg_type_name(a, &(dg_type){DG_BOOL, DG_SCALAR}), "bool");
    assert_string_equal(dg_shape_times(&DG_SHAPE(32, 3, 7), buffer), "32x3x7");
    assert_string_equal(dg_shape_times(&DG_SCALAR, buffer), "1");
    dg_arena_free(a);
}

static void attributes(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    int64_t axes[] = {0, 2};
    double zero = 0, minus_zero = -0.0;
    dg_attr list[] = {dg_attr_of_int("keep", 1), dg_attr_of_ints(a, "axes", axes, 2),
                      dg_attr_of_str(a, "text", "x < y")};
    dg_attrs x = {3, list}, y = dg_attrs_copy(a, &x);
    assert_true(dg_attrs_equal(&x, &y));
    assert_true(dg_attrs_hash(&x) == dg_attrs_hash(&y));
    axes[1] = 3;
    list[1] = dg_attr_of_ints(a, "axes", axes, 2);
    assert_false(dg_attrs_equal(&x, &y)); /* the copy has its own list */
    assert_int_equal(dg_attr_find(&y, "axes")->v.ints[1], 2);
    assert_null(dg_attr_find(&y, "axis"));
    dg_attr p = dg_attr_of_floats(a, "f", &zero, 1), m = dg_attr_of_floats(a, "f", &minus_zero, 1);
    assert_false(dg_attrs_equal(&(dg_attrs){1, &p},
                                &(dg_attrs){1, &m})); /* equal numbers, different constants */
    dg_arena_free(a);
}

static void views(void **state)
{
    (void)state;
    dg_view v = {.dtype = DG_F32, .shape = DG_SHAPE(2, 1, 3)};
    dg_view_pack(&v);
    assert_int_equal(v.stride[0], 3);
    assert_int_equal(v.stride[2], 1);
    assert_true(dg_view_contiguous(&v));
    v.stride[1] = 99; /* of an axis of one element: never used */
    assert_true(dg_view_contiguous(&v));
    v.stride[0] = 6;
    assert_false(dg_view_contiguous(&v));
}

static void count_piece(const dg_call *k, int64_t piece)
{
    ((int64_t *)k->workspace)[piece] += *(const int64_t *)k->arg;
}

static void keep_message(void *ctx, const dg_call *k, const char *message)
{
    (void)k;
    strcpy(ctx, message);
}

static void pieces_and_failures(void **state)
{
    (void)state;
    int64_t seen[5] = {0}, by = 3;
    char message[256] = "";
    dg_run run = {.fail = keep_message, .fail_ctx = message};
    dg_call call = {.run = &run, .workspace = seen};
    dg_parallel_with(&call, 5, count_piece, &by);
    for (int i = 0; i < 5; i++) assert_int_equal(seen[i], 3);
    dg_fail(&call, "index %d", 12);
    assert_string_equal(message, "index 12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes), cmocka_unit_test(broadcasting),
        cmocka_unit_test(texts), cmocka_unit_test(attributes),
        cmocka_unit_test(views), cmocka_unit_test(pieces_and_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
