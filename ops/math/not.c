/* ops/math/not.c: logical negation. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = not x; bool";

DG_REF_1(ref, uint8_t, uint8_t, !x)

DG_LANES_1(not_u8, uint8_t, uint8_t, x ^ 1)

static const dg_lanes lanes[] = {
    {DG_BOOL, {DG_BOOL}, DG_LANES_OF(not_u8)},
    {DG_BOOL, {DG_BOOL}, DG_LANES_OF(not_u8)},
    {0},
};

DG_ELEMENTWISE_KERNELS(not )

const dg_op dg_op_not = {
    .name = "not",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_logic,
    .no_grad = "booleans have no gradient",
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 1,
};
