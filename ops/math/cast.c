/* ops/math/cast.c: conversion between dtypes. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = x as another dtype\n"
                          "float to i32 and u8 truncates and saturates, NaN gives 0; i32 to u8 "
                          "saturates; a number becomes true where it is not 0";

static const dg_attr_spec specs[] = {
    {"to", DG_INT, .required = true, .doc = "the dtype, by number"},
    {0},
};

static bool infer(dg_infer *t)
{
    int64_t to = dg_attr_int(t->attrs, "to");
    if (to < 0 || to >= DG_DTYPES)
        return dg_reject_attr(t, "to", "there is no dtype of number %lld", (long long)to);
    return dg_give_typed(t, 0, (dg_dtype)to, dg_in_shape(t, 0));
}

static void grad(dg_grad *g)
{
    dg_dtype from = dg_dtype_of(g->build, g->in[0]);
    if (dg_dtype_is_float(from) && dg_dtype_is_float(dg_dtype_of(g->build, g->out[0])))
        g->din[0] = dg_cast(g->build, g->dout[0], from);
}

/* ---- reference ---- */

static double number_at(const dg_view *v, int64_t i)
{
    if (v->dtype == DG_I32) return ((const int32_t *)v->data)[i];
    if (dg_dtype_is_float(v->dtype)) return ((const double *)v->data)[i];
    return ((const uint8_t *)v->data)[i];
}

static double saturated(double x, double least, double most)
{
    if (isnan(x)) return 0;
    return x < least ? least : x > most ? most : trunc(x);
}

static void ref(const dg_call *k)
{
    const dg_view *out = &k->out[0];
    for (int64_t i = 0; i < dg_shape_count(&out->shape); i++) {
        double x = number_at(&k->in[0], i);
        if (out->dtype == DG_I32)
            ((int32_t *)out->data)[i] = (int32_t)saturated(x, INT32_MIN, INT32_MAX);
        else if (out->dtype == DG_U8)
            ((uint8_t *)out->data)[i] = (uint8_t)saturated(x, 0, 255);
        else if (out->dtype == DG_BOOL)
            ((uint8_t *)out->data)[i] = x != 0;
        else
            ((double *)out->data)[i] = x;
    }
}

/* ---- lanes ---- */

/* The bounds are such that the conversion itself is always defined. */
static inline __attribute__((always_inline)) int32_t int_of_float(float x)
{
    float c = x >= -2147483648.0f ? x : -2147483648.0f; /* NaN too */
    c = c <= 2147483520.0f ? c : 2147483520.0f;
    int32_t y = (int32_t)c;
    y = x >= 2147483648.0f ? INT32_MAX : y;
    return x == x ? y : 0;
}

static inline __attribute__((always_inline)) int32_t int_of_double(double x)
{
    double c = x >= INT32_MIN ? x : INT32_MIN;
    c = c <= INT32_MAX ? c : INT32_MAX;
    int32_t y = (int32_t)c;
    return x == x ? y : 0;
}

static inline __attribute__((always_inline)) int32_t byte_of_int(int32_t x)
{
    x = x < 0 ? 0 : x;
    return x > 255 ? 255 : x;
}

DG_LANES_1(f32_f32, float, float, x)
DG_LANES_1(f32_f64, float, double, x)
DG_LANES_1(f32_i32, float, int32_t, x)
DG_LANES_1(f32_u8, float, uint8_t, x)
DG_LANES_1(f64_f32, double, float, x)
DG_LANES_1(f64_f64, double, double, x)
DG_LANES_1(f64_i32, double, int32_t, x)
DG_LANES_1(f64_u8, double, uint8_t, x)
DG_LANES_1(i32_f32, int32_t, float, int_of_float(x))
DG_LANES_1(i32_f64, int32_t, double, int_of_double(x))
DG_LANES_1(i32_i32, int32_t, int32_t, x)
DG_LANES_1(i32_u8, int32_t, uint8_t, x)
DG_LANES_1(u8_f32, uint8_t, float, byte_of_int(int_of_float(x)))
DG_LANES_1(u8_f64, uint8_t, double, byte_of_int(int_of_double(x)))
DG_LANES_1(u8_i32, uint8_t, int32_t, byte_of_int(x))
DG_LANES_1(u8_u8, uint8_t, uint8_t, x)
DG_LANES_1(bool_f32, uint8_t, float, x != 0)
DG_LANES_1(bool_f64, uint8_t, double, x != 0)
DG_LANES_1(bool_i32, uint8_t, int32_t, x != 0)
DG_LANES_1(bool_u8, uint8_t, uint8_t, x != 0)

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(f32_f32)},   {DG_F32, {DG_F64}, DG_LANES_OF(f32_f64)},
    {DG_F32, {DG_I32}, DG_LANES_OF(f32_i32)},   {DG_F32, {DG_U8}, DG_LANES_OF(f32_u8)},
    {DG_F32, {DG_BOOL}, DG_LANES_OF(f32_u8)},   {DG_F64, {DG_F32}, DG_LANES_OF(f64_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(f64_f64)},   {DG_F64, {DG_I32}, DG_LANES_OF(f64_i32)},
    {DG_F64, {DG_U8}, DG_LANES_OF(f64_u8)},     {DG_F64, {DG_BOOL}, DG_LANES_OF(f64_u8)},
    {DG_I32, {DG_F32}, DG_LANES_OF(i32_f32)},   {DG_I32, {DG_F64}, DG_LANES_OF(i32_f64)},
    {DG_I32, {DG_I32}, DG_LANES_OF(i32_i32)},   {DG_I32, {DG_U8}, DG_LANES_OF(i32_u8)},
    {DG_I32, {DG_BOOL}, DG_LANES_OF(i32_u8)},   {DG_U8, {DG_F32}, DG_LANES_OF(u8_f32)},
    {DG_U8, {DG_F64}, DG_LANES_OF(u8_f64)},     {DG_U8, {DG_I32}, DG_LANES_OF(u8_i32)},
    {DG_U8, {DG_U8}, DG_LANES_OF(u8_u8)},       {DG_U8, {DG_BOOL}, DG_LANES_OF(u8_u8)},
    {DG_BOOL, {DG_F32}, DG_LANES_OF(bool_f32)}, {DG_BOOL, {DG_F64}, DG_LANES_OF(bool_f64)},
    {DG_BOOL, {DG_I32}, DG_LANES_OF(bool_i32)}, {DG_BOOL, {DG_U8}, DG_LANES_OF(bool_u8)},
    {DG_BOOL, {DG_BOOL}, DG_LANES_OF(u8_u8)},   {0},
};

static dg_value simplify(dg_build *b, const dg_attrs *given, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)given;
    (void)n_in;
    return dg_dtype_of(b, in[0]) == out->dtype ? in[0] : DG_NONE;
}

DG_ELEMENTWISE_KERNELS(cast)

const dg_op dg_op_cast = {
    .name = "cast",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = specs,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 1,
    .simplify = simplify,
};
