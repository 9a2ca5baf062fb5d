/* ops/math/and.c: logical and of two tensors. */
#include "ops/support/elementwise.h"

static const char doc[] = "z = x and y, broadcast; bool";

DG_REF_2(ref, uint8_t, uint8_t, uint8_t, x &&y)

DG_LANES_2(and_u8, uint8_t, uint8_t, uint8_t, x &y)

static const dg_lanes lanes[] = {
    {DG_BOOL, {DG_BOOL, DG_BOOL}, DG_LANES_OF(and_u8)},
    {DG_BOOL, {DG_BOOL, DG_BOOL}, DG_LANES_OF(and_u8)},
    {0},
};

DG_ELEMENTWISE_KERNELS(and)

const dg_op dg_op_and = {
    .name = "and",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_logic,
    .no_grad = "booleans have no gradient",
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 3,
};
