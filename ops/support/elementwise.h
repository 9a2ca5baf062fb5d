/* elementwise.h: what the files of math/ share: lanes and references out of one expression, and
 * their shape rules.
 *
 * An expression is written in x (and y, z), values of the operands' C types; its value is converted
 * to the result's. */
#ifndef DG_OPS_SUPPORT_ELEMENTWISE_H
#define DG_OPS_SUPPORT_ELEMENTWISE_H

#include "ops/ops.h"
#include "ops/support/vmath.h"

/* ---- lanes ---- */
#define DG_LANES_1(name, to, tx, ...)                                                              \
    DG_LANES(name, {                                                                               \
        const tx *px = in[0];                                                                      \
        to *result = out;                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            tx x = px[i];                                                                          \
            result[i] = (to)(__VA_ARGS__);                                                         \
        }                                                                                          \
    })
#define DG_LANES_2(name, to, tx, ty, ...)                                                          \
    DG_LANES(name, {                                                                               \
        const tx *px = in[0];                                                                      \
        const ty *py = in[1];                                                                      \
        to *result = out;                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            tx x = px[i];                                                                          \
            ty y = py[i];                                                                          \
            result[i] = (to)(__VA_ARGS__);                                                         \
        }                                                                                          \
    })
#define DG_LANES_3(name, to, tx, ty, tz, ...)                                                      \
    DG_LANES(name, {                                                                               \
        const tx *px = in[0];                                                                      \
        const ty *py = in[1];                                                                      \
        const tz *pz = in[2];                                                                      \
        to *result = out;                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            tx x = px[i];                                                                          \
            ty y = py[i];                                                                          \
            tz z = pz[i];                                                                          \
            result[i] = (to)(__VA_ARGS__);                                                         \
        }                                                                                          \
    })

/* Lanes of sine or cosine: a run with an angle too large for the fast reduction is done by the
 * library, whole: there is no such run in practice. */
#define DG_ANGLE_LANES(name, type, fast, library)                                                  \
    DG_LANES(name, {                                                                               \
        const type *x = in[0];                                                                     \
        type *y = out;                                                                             \
        int large = 0;                                                                             \
        for (int64_t i = 0; i < n; i++) large |= x[i] > (type)DG_ANGLE_LIMIT;                      \
        for (int64_t i = 0; i < n; i++) large |= x[i] < -(type)DG_ANGLE_LIMIT;                     \
        if (large) {                                                                               \
            for (int64_t i = 0; i < n; i++) y[i] = (type)library((double)x[i]);                    \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++) y[i] = fast(x[i]);                                     \
        }                                                                                          \
    })

/* ---- references: packed operands, broadcast ---- */

/* Which element of the packed operand `in` stands at element i of a result of shape `out`. */
int64_t dg_broadcast_at(const dg_view *in, const dg_shape *out, int64_t i);

#define DG_REF_1(name, to, tx, ...)                                                                \
    static void name(const dg_call *k)                                                             \
    {                                                                                              \
        const tx *px = k->in[0].data;                                                              \
        to *result = k->out[0].data;                                                               \
        int64_t n = dg_shape_count(&k->out[0].shape);                                              \
        for (int64_t i = 0; i < n; i++) {                                                          \
            tx x = px[i];                                                                          \
            result[i] = (to)(__VA_ARGS__);                                                         \
        }                                                                                          \
    }
#define DG_REF_2(name, to, tx, ty, ...)                                                            \
    static void name(const dg_call *k)                                                             \
    {                                                                                              \
        const tx *px = k->in[0].data;                                                              \
        const ty *py = k->in[1].data;                                                              \
        to *result = k->out[0].data;                                                               \
        const dg_shape *s = &k->out[0].shape;                                                      \
        int64_t n = dg_shape_count(s);                                                             \
        for (int64_t i = 0; i < n; i++) {                                                          \
            tx x = px[dg_broadcast_at(&k->in[0], s, i)];                                           \
            ty y = py[dg_broadcast_at(&k->in[1], s, i)];                                           \
            result[i] = (to)(__VA_ARGS__);                                                         \
        }                                                                                          \
    }
#define DG_REF_3(name, to, tx, ty, tz, ...)                                                        \
    static void name(const dg_call *k)                                                             \
    {                                                                                              \
        const tx *px = k->in[0].data;                                                              \
        const ty *py = k->in[1].data;                                                              \
        const tz *pz = k->in[2].data;                                                              \
        to *result = k->out[0].data;                                                               \
        const dg_shape *s = &k->out[0].shape;                                                      \
        int64_t n = dg_shape_count(s);                                                             \
        for (int64_t i = 0; i < n; i++) {                                                          \
            tx x = px[dg_broadcast_at(&k->in[0], s, i)];                                           \
            ty y = py[dg_broadcast_at(&k->in[1], s, i)];                                           \
            tz z = pz[dg_broadcast_at(&k->in[2], s, i)];                                           \
            result[i] = (to)(__VA_ARGS__);                                                         \
        }                                                                                          \
    }

/* Integers wrap round at run time: the arithmetic is done where that is defined. */
#define DG_WRAP(x, op, y) (int32_t)((uint32_t)(x)op(uint32_t)(y))

/* Floor division and the remainder with the divisor's sign; y is not 0. The one quotient that does
 * not fit wraps. */
static inline int32_t dg_floor_div(int32_t x, int32_t y)
{
    if (y == -1) return DG_WRAP(0, -, x);
    int32_t q = x / y;
    return q * y != x && (x < 0) != (y < 0) ? q - 1 : q;
}
static inline int32_t dg_floor_mod(int32_t x, int32_t y)
{
    if (y == -1) return 0;
    int32_t r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

/* ---- shape rules: broadcast, equal dtypes ---- */
bool dg_infer_floats(dg_infer *t);  /* f32 f64 */
bool dg_infer_numbers(dg_infer *t); /* f32 f64 i32 */
bool dg_infer_ints(dg_infer *t);    /* i32 */
bool dg_infer_compare(dg_infer *t); /* any dtype -> bool */
bool dg_infer_logic(dg_infer *t);   /* bool -> bool */

/* `idiv` and `mod`: one integer function over broadcast operands of any strides; a zero divisor
 * stops the run and gives 0. */
void dg_divide_ints(const dg_call *k, int32_t (*divide)(int32_t x, int32_t y));

#endif
