/* op.h: what an op is. One op is one file below ops/ with one `const dg_op dg_op_NAME`, and one
 * line in ops/ops.def. Passes never ask for an op by name: what they need to know stands here, as
 * traits and functions. */
#ifndef DG_IR_OP_H
#define DG_IR_OP_H

#include "compiler/ir/build.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/kernel.h"
#include "compiler/ir/strip.h"

struct dg_uses; /* rewrite.h */
struct dg_rng;  /* base/rng.h */

/* ---- shape rule ---- */

typedef struct dg_infer {
    const struct dg_op *op;
    const dg_attrs *attrs;
    int n_in;
    const dg_type *const *in;
    dg_type *out; /* room for n_in + 16; filled by dg_give */
    int n_out; /* starts as the number of names in op->outputs ("ys..." counts none); dg_give raises
                  it */
    /* on failure */
    const char *id;              /* default E018 */
    const char *what;            /* one sentence in the user's numbers, without the op's name */
    const char *attr;            /* which attribute, NULL: none */
    int input[2];                /* which inputs the carets show, -1: none */
    const char *help;            /* may be NULL */
    dg_arena *arena;             /* for the texts */
    const dg_prologue *prologue; /* of the node, for `workspace` and `scratch`; NULL: none */
} dg_infer;

dg_shape dg_in_shape(const dg_infer *t, int input);
dg_dtype dg_in_dtype(const dg_infer *t, int input);
bool dg_want_rank(dg_infer *t, int input, int rank);
bool dg_want_rank_from(dg_infer *t, int input, int least, int most);
bool dg_want_shape(dg_infer *t, int input, dg_shape shape);
bool dg_want_float(dg_infer *t, int input);
bool dg_want_dtype(dg_infer *t, int input, dg_dtype dtype);
bool dg_want_same_dtype(dg_infer *t, int a, int b);
/* Names the output; dtype is input 0's unless typed. Checks that the shape fits. Returns true. */
bool dg_give(dg_infer *t, int output, dg_shape shape);
bool dg_give_typed(dg_infer *t, int output, dg_dtype dtype, dg_shape shape);
/* All return false. */
__attribute__((format(printf, 2, 3))) bool dg_reject(dg_infer *t, const char *format, ...);
__attribute__((format(printf, 3, 4))) bool dg_reject_attr(dg_infer *t, const char *attr,
                                                          const char *format, ...);
__attribute__((format(printf, 3, 4))) bool dg_reject_input(dg_infer *t, int input,
                                                           const char *format, ...);
__attribute__((format(printf, 5, 6))) bool dg_reject_inputs(dg_infer *t, const char *id, int a,
                                                            int b, const char *format, ...);
__attribute__((format(printf, 2, 3))) bool dg_help(dg_infer *t, const char *format,
                                                   ...); /* adds help; returns false */

/* The usual rule of elementwise ops: broadcast all inputs (E020 on failure, with the help of
 * lead()/trail() where ranks differ), same dtype. `out` DG_POISON keeps the inputs' dtype. */
bool dg_infer_elementwise(dg_infer *t, dg_dtype out);
/* The shape part of that rule alone: for ops whose inputs differ in dtype (`where`). Gives no
 * output. */
bool dg_infer_broadcast(dg_infer *t, dg_shape *out);
/* The name of an input in op->inputs ("x"), cut of its ? or ...; past the end the last one. */
const char *dg_input_name(const dg_infer *t, int input);

/* ---- gradient ---- */

/* Given the adjoints of the outputs (DG_NONE: zero), name the adjoints of the inputs (DG_NONE:
 * zero), built from ops with gradients of their own. Results must have exactly the input's type
 * (dg_grad_to sums broadcast axes away). Only wanted ones need be built. */
typedef struct dg_grad {
    dg_build *build;
    const dg_attrs *attrs;
    int n_in, n_out;
    const dg_value *in, *out, *dout;
    const bool *want;
    dg_value *din;
} dg_grad;
/* d summed over the axes that broadcasting added, so that it has the type of `like`. */
dg_value dg_grad_to(dg_build *b, dg_value d, dg_value like);

/* ---- kernels ---- */

typedef void dg_kernel_fn(const dg_call *k);

typedef struct dg_kernel {
    const char *name; /* "im2col_f32": what the plan shows beside the op's name */
    dg_kernel_fn *run;
    dg_dtype dtype;    /* of input 0 (of output 0 where there is none) */
    bool any_dtype;    /* moves bytes: every dtype */
    uint32_t strided;  /* bit i: input i may have any strides (bit 31: all inputs); else it gets a
                          packed copy */
    uint32_t prologue; /* bit i: input i may have a prologue: the kernel reads it by
                          support/prologue.h */
    uint32_t parts;    /* bit i: of a prologue without a strip input i's source may be gathered */
    uint32_t writes;   /* bit i: output i may begin anywhere and have any strides, but that its last
                          axis of more than one element steps 1; not what a strip reduces. Else it
                          is packed and aligned */
    /* Output 0 may be written over the source of an input in `parts`, or a part of it, of the same
       type: all elements of a place are read before the first is stored there. NULL: never. */
    bool (*over)(const dg_infer *types);
    bool into; /* does nothing: its operands lie in the result's bytes already, one behind the other
                  along the axis on which they differ from it (pass `into`) */
    dg_isa least_isa;
    bool (*fits)(const dg_infer
                     *types); /* NULL: always. Sees input and output types and attrs; not strides */
    /* Bytes in the arena, shared by all pieces; and of each worker. NULL: none. */
    int64_t (*workspace)(const dg_infer *types, const dg_strip *strip);
    int64_t (*scratch)(const dg_infer *types, const dg_strip *strip);
    bool lapack; /* calls LAPACK: its library has to be there, and decides how results round */
} dg_kernel;

/* One run of n elements, n <= DG_STRIP_RUN, packed arrays that do not overlap but for out == in[i].
 * Bool and u8 are bytes 0/1. */
typedef void dg_lanes_fn(void *out, const void *const *in, int64_t n, const dg_attrs *attrs);
#define DG_STRIP_RUN 1024
/* Elements [first, first + n) of a draw: of an op with DG_RANDOM whose result is f32 and whose one
 * operand is the trip. So a strip makes these numbers where it reads them. */
typedef void dg_draw_fn(const struct dg_rng *rng, uint64_t first, int64_t n, float *out);
typedef struct dg_lanes {
    dg_dtype out, in[3];
    dg_lanes_fn *fn[DG_ISAS]; /* by ISA; all three set, or */
    dg_draw_fn *draw;         /* this */
} dg_lanes;

/* Arithmetic that rounds once: strips of f32 do chains of it in vector registers
 * (support/chain.h), with the bits that the lanes give. */
typedef enum dg_arith {
    DG_NO_ARITH,
    DG_ARITH_ADD,
    DG_ARITH_SUB,
    DG_ARITH_MUL,
    DG_ARITH_DIV,
    DG_ARITH_NEG,
    DG_ARITH_SQUARE
} dg_arith;

typedef enum dg_trait {
    DG_ELEMENTWISE =
        1 << 0,            /* out[i] depends on the inputs at i alone, by broadcasting; has lanes */
    DG_VIEW = 1 << 1,      /* the result can be the same bytes under other strides; has view() */
    DG_RANDOM = 1 << 2,    /* a pure function of the run's seed, step and attrs: never folded */
    DG_EFFECT = 1 << 3,    /* kept though nobody reads its results: write, output, check */
    DG_LEAF = 1 << 4,      /* no operands: input, place, constant */
    DG_CONTROL = 1 << 5,   /* has a region; the executor knows it */
    DG_INNER = 1 << 6,     /* made by passes and gradients, not writable in .dg */
    DG_CHEAP = 1 << 7,     /* elementwise, a few cycles: recomputing beats keeping */
    DG_GEMM_LIKE = 1 << 8, /* tested to 1e-10 instead of 1e-12 */
    DG_STOPS_GRADIENT = 1 << 9,
    DG_NOT_FOLDED = 1 << 10, /* depends on the run: input, place, random */
    DG_PREPARES = 1 << 11    /* lays an operand out for a kernel that reads all of it: leaves loops
                                whatever its size */
} dg_trait;

/* What an op's `prepare` is told, and what it says. */
typedef struct dg_prepare {
    dg_build *build;
    const dg_attrs *attrs;
    int n_in;
    const dg_value *in;
    const bool *once; /* by input: it does not change in the loop that the node stands in, so
                         neither does what is made of it alone */
    dg_isa isa;
    const char *conv;             /* the way asked for (dg_pass_options); NULL: the cheapest */
    const char *outcome, *reason; /* of the decision; reason NULL: there was none to make */
} dg_prepare;

typedef struct dg_op {
    const char *name;
    const char *inputs; /* "x gamma beta"; "bias?" may be absent; "xs..." repeats (last only) */
    const char *outputs;
    const char *doc;           /* formula, shapes, units, source */
    const dg_attr_spec *attrs; /* ends with {0}; NULL: none */
    uint32_t traits;
    bool (*infer)(dg_infer *t);
    void (*grad)(dg_grad *g);
    const char *no_grad; /* why there is none: its inputs get zero */
    /* Plain double loops, written apart from the fast kernels. All floats are double, ints i32, u8
     * and bool bytes; every view is packed. Also the kernel of f64 values in ordinary plans. */
    dg_kernel_fn *ref;
    const dg_kernel
        *kernels; /* best first; ends with {0}; may be NULL for elementwise ops (run by strips) */
    const dg_lanes *lanes; /* elementwise, or a draw; ends with {0} */
    dg_arith arith;        /* what its f32 lanes do, if it is one of these */
    /* Views: strides (and data offset in elements, via out->data as a byte offset from in->data) of
     * output 0 for the given strides of input 0; false: not expressible, copy. `out` has its shape
     * and dtype set. */
    bool (*view)(const dg_attrs *attrs, const dg_view *in, dg_view *out);
    /* The other way round: strides of input 0 with which output 0 has those given; false: none.
     * NULL where the result does not show all of the input once. */
    bool (*unview)(const dg_attrs *attrs, const dg_view *out, dg_view *in);
    uint32_t in_place; /* bit i: output 0 may be written over input i when types are equal and input
                          i is packed and dies here */
    bool epilogue;     /* its kernels can apply a strip to output 0 */
    /* Elementwise-fed sums: how many trailing axes of input 0 this node sums (0: not of that kind).
     * Output dtype = input dtype. */
    int (*row_sum)(const dg_attrs *attrs, const dg_shape *in);
    /* Rewrites the node in simpler ops before fusion (group_norm into statistics and arithmetic);
     * outputs in out[]. May be NULL. */
    bool (*expand)(dg_grad *g, dg_value *out);
    /* Builds a cheaper way to compute the node, with operands laid out beforehand by nodes of their
     * own; its value in out[0] (pass `prepare`). False: it stays as it is. May be NULL. */
    bool (*prepare)(dg_prepare *p, dg_value *out);
    /* A constant folding or identity that is exact in floating point: returns the value that
     * replaces output 0, or DG_NONE. */
    dg_value (*simplify)(dg_build *b, const dg_attrs *attrs, const dg_value *in, int n_in,
                         const dg_type *out);
    /* The node for n values at once, along a further leading axis: `stacked` inputs have it, the
     * others not (pass `tables`). `out`: the node's own result. DG_NONE: not to be said. May be
     * NULL; elementwise ops need none. */
    dg_value (*stack)(dg_build *b, const dg_attrs *attrs, const dg_value *in, const bool *stacked,
                      int n_in, int64_t n, const dg_type *out);
    /* The same product of operands rounded to bf16 with sums in f32, in ops of its own: returns the
     * value that replaces output 0, or DG_NONE where that does not pay. NULL: not a product. */
    dg_value (*narrow)(dg_build *b, const dg_attrs *attrs, const dg_value *in, const dg_type *out);
    /* The nodes around node n, of this op, compute together what another op does at once: that op
     * is put in their place where it pays. map (by value) takes what they made to what makes it
     * now, *subject becomes the new result. Returns the reason of the decision, either way; NULL:
     * they do not. For pass patterns: after gradients. */
    const char *(*pattern)(dg_build *b, dg_node n, const struct dg_uses *uses, dg_value *map,
                           dg_value *subject);
    /* Output 0 is the inputs, all of one rank 4, one behind the other along axis 1, and each row
     * and column of them *grow times (strip.h, dg_prologue; pass `parts`). False: it is not, by
     * these attributes. May be NULL. */
    bool (*gathers)(const dg_attrs *attrs, const dg_type *out, int *grow);
    /* Elements of a channel that its kernels hand to dg_epilogue at a time: whole rows of output 0
     * [N, C, ...] (strip.h, dg_moments_shape). NULL: not known. */
    int64_t (*span)(const dg_infer *types);
    /* The node's results out of moments of its input 0, which is n parts one behind the other along
     * axis 1: moments[i] of part i, of spans[i] elements (pass `moments`; NULL: they do not exist
     * yet, nothing is built). False: they do not say enough. May be NULL. */
    bool (*from_moments)(dg_build *b, const dg_attrs *attrs, const dg_shape *x,
                         const dg_value *moments, const int64_t *spans, int n, dg_value *out);
    double (*flops)(
        const dg_infer *types); /* NULL: one per output element for elementwise, else 0 */
} dg_op;

/* Input types, output types and attrs of a node as an infer record: for kernel callbacks (not for
 * `infer`, which wants more room). Good until the graph is asked again. */
dg_infer dg_types_of(const dg_graph *g, dg_node n);
const dg_lanes *dg_lanes_find(const dg_op *op, dg_dtype out, const dg_dtype *in,
                              int n_in); /* NULL: none */
/* Some kernel of the op for f32 takes input `input` by a prologue. */
bool dg_op_takes_prologue(const dg_op *op, int input);
/* Number of inputs that `op->inputs` allows. */
void dg_op_arity(const dg_op *op, int *least, int *most);

/* Attribute access with the op's fallbacks applied. */
int64_t dg_attr_int(const dg_attrs *a,
                    const char *name); /* must be present, or filled in by dg_build */
double dg_attr_float(const dg_attrs *a, const char *name);
const int64_t *dg_attr_ints(const dg_attrs *a, const char *name, int *n);
const double *dg_attr_floats(const dg_attrs *a, const char *name, int *n);
const char *dg_attr_str(const dg_attrs *a, const char *name);

#endif
