/* ops/inner/fused.c: an elementwise program as one node.
 *
 * Made by pass fuse. The node's strip is its body; the results are the strip's outputs, so there is
 * no shape rule of its own. */
#include "ops/ops.h"
#include "ops/source/draw.h"

#include <assert.h>
#include <string.h>

static const char doc[] =
    "ys = strip(xs): elementwise instructions over one space, values in cache-sized runs\n"
    "an output is stored, or summed over trailing axes of the space (in double)";

/* The results' types were fixed with the strip. */
static bool infer(dg_infer *t)
{
    (void)t;
    return true;
}

/* References hold every float as double. */
static size_t element(dg_dtype t)
{
    return dg_dtype_is_float(t) ? sizeof(double) : dg_dtype_size(t);
}

/* Element i of the draw that an instruction makes. */
static double drawn(const dg_call *k, const dg_strip_code *code, const int32_t *trip, int64_t i)
{
    dg_rng rng = dg_draw_rng_of(k->run, &code->attrs, *trip);
    float y;
    code->lanes->draw(&rng, dg_draw_first_of(k->run, &k->strip->space) + (uint64_t)i, 1, &y);
    return (double)y;
}

/* One element at a time, each instruction by its op's own reference. */
static void ref(const dg_call *k)
{
    const dg_strip *s = k->strip;
    double reg[DG_STRIP_REGS]; /* one element each, in its own dtype */
    assert(s->n_in + s->n_code <= DG_STRIP_REGS);
    for (int o = 0; o < s->n_out; o++) {
        if (s->out[o].reduce)
            memset(k->out[o].data, 0,
                   (size_t)dg_shape_count(&k->out[o].shape) * element(k->out[o].dtype));
    }
    int64_t n = dg_shape_count(&s->space);
    for (int64_t i = 0; i < n; i++) {
        for (int l = 0; l < s->n_in; l++) {
            size_t size = element(k->in[l].dtype);
            int64_t at = 0, left = i, step = 1;
            for (int a = k->in[l].shape.rank - 1; a >= 0; a--) {
                if (k->in[l].shape.dim[a] != 1) at += left % s->space.dim[a] * step;
                left /= s->space.dim[a];
                step *= k->in[l].shape.dim[a];
            }
            memcpy(&reg[l], (const char *)k->in[l].data + at * (int64_t)size, size);
        }
        for (int c = 0; c < s->n_code; c++) {
            const dg_strip_code *code = &s->code[c];
            dg_view in[3], out = {.data = &reg[s->n_in + c], .dtype = code->dtype};
            for (int j = 0; j < code->n_in; j++) {
                int r = code->in[j];
                in[j] =
                    (dg_view){.data = &reg[r],
                              .dtype = r < s->n_in ? s->in_dtype[r] : s->code[r - s->n_in].dtype};
            }
            dg_call call = {.in = in,
                            .out = &out,
                            .n_in = code->n_in,
                            .n_out = 1,
                            .n_own = code->n_in,
                            .attrs = &code->attrs,
                            .run = k->run};
            if (code->lanes->draw)
                reg[s->n_in + c] = drawn(k, code, in[0].data, i);
            else
                code->op->ref(&call);
        }
        for (int o = 0; o < s->n_out; o++) {
            const double *x = &reg[s->out[o].reg];
            size_t size = element(k->out[o].dtype);
            int64_t row = 1;
            for (int a = s->space.rank - s->out[o].reduce; a < s->space.rank; a++)
                row *= s->space.dim[a];
            if (s->out[o].reduce == 0) {
                memcpy((char *)k->out[o].data + i * (int64_t)size, x, size);
            } else if (k->out[o].dtype == DG_I32) {
                int32_t part;
                memcpy(&part, x, sizeof part);
                int32_t *sum = (int32_t *)k->out[o].data + i / row;
                *sum = (int32_t)((uint32_t)*sum + (uint32_t)part);
            } else {
                ((double *)k->out[o].data)[i / row] += *x;
            }
        }
    }
}

static const dg_kernel kernels[] = {
    {"strip", dg_strip_run, .any_dtype = true, .strided = 1u << 31, .parts = ~0u, .writes = ~0u,
     .workspace = dg_strip_workspace, .scratch = dg_strip_scratch_of},
    {0},
};

const dg_op dg_op_fused = {
    .name = "fused",
    .inputs = "xs...",
    .outputs = "ys...",
    .doc = doc,
    .traits = DG_INNER,
    .infer = infer,
    .no_grad = "made after gradients",
    .ref = ref,
    .kernels = kernels,
    .in_place = ~0u,
};
