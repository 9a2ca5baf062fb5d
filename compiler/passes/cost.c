/* cost.c: see cost.h.
 *
 * A roofline with constants for each ISA level, so that the same plan comes out on every machine.
 * They are round numbers between what cores of the last ten years reach, and only their ratios
 * decide anything: how many bytes a product of matrices is worth. */
#include "compiler/passes/cost.h"

typedef struct roof { /* of one thread */
    double products;  /* operations a nanosecond in products and convolutions */
    double others;    /* in elementwise code, with its share of exp and the like */
    double bytes;     /* a nanosecond, from and to memory and the last cache */
} roof;

static const roof roofs[DG_ISAS] = {
    [DG_GENERIC] = {8, 1, 6},
    [DG_AVX2] = {40, 4, 8},
    [DG_AVX512] = {80, 6, 8},
};

#define BEGIN_NS 1000.0 /* to wake the workers and to cut the work */

double dg_node_flops(const dg_node_info *n, const dg_infer *types)
{
    double flops = 0;
    if (n->prologue && n->prologue->strip) {
        const dg_strip *s = n->prologue->strip;
        flops += (double)s->n_code * (double)dg_shape_count(&s->space);
    }
    if (n->strip) flops += (double)n->strip->n_code * (double)dg_shape_count(&n->strip->space);
    if (n->strip && !n->op->epilogue) return flops;
    if (n->op->flops) return flops + n->op->flops(types);
    bool each = n->op->traits & DG_ELEMENTWISE;
    return flops + (each ? (double)dg_shape_count(&types->out[0].shape) : 0);
}

double dg_cost_ns(dg_isa isa, bool products, double flops, double bytes)
{
    const roof *r = &roofs[isa];
    double work = flops / (products ? r->products : r->others), moved = bytes / r->bytes;
    return (work > moved ? work : moved) + BEGIN_NS;
}

double dg_node_cost_ns(const dg_graph *g, dg_node node, dg_isa isa)
{
    const dg_node_info *n = dg_node_of(g, node);
    dg_infer types = dg_types_of(g, node);
    double bytes = 0;
    for (int i = 0; i < n->n_in; i++) bytes += (double)dg_type_bytes(dg_type_of(g, n->in[i]));
    for (int i = 0; i < n->n_out; i++) bytes += (double)dg_type_bytes(dg_type_of(g, n->out[i]));
    return dg_cost_ns(isa, n->op->traits & DG_GEMM_LIKE, dg_node_flops(n, &types), bytes);
}
