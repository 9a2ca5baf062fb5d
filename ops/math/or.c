/* ops/math/or.c: logical or of two tensors. */
#include "ops/support/elementwise.h"

static const char doc[] = "z = x or y, broadcast; bool";

DG_REF_2(ref, uint8_t, uint8_t, uint8_t, x || y)

DG_LANES_2(or_u8, uint8_t, uint8_t, uint8_t, x | y)

static const dg_lanes lanes[] = {
    {DG_BOOL, {DG_BOOL, DG_BOOL}, DG_LANES_OF(or_u8)},
    {DG_BOOL, {DG_BOOL, DG_BOOL}, DG_LANES_OF(or_u8)},
    {0},
};

DG_ELEMENTWISE_KERNELS(or)

const dg_op dg_op_or = {
    .name = "or",
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
