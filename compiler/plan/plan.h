/* plan.h: the execution plan: flat, immutable, in an arena of its own. It is everything the runtime
 * needs and everything a person may ask (reference: docs/plans.md). Several threads and sessions
 * may share one plan. */
#ifndef DG_PLAN_PLAN_H
#define DG_PLAN_PLAN_H

#include "compiler/passes/passes.h"

/* clang-format off */

typedef enum dg_role {
    DG_ROLE_ACTIVATION, DG_ROLE_RESIDUAL, DG_ROLE_GRADIENT, DG_ROLE_CARRY, DG_ROLE_TABLE,
    DG_ROLE_PARAM, DG_ROLE_STATE, DG_ROLE_INPUT, DG_ROLE_OUTPUT, DG_ROLES
} dg_role;
const char *dg_role_name(dg_role r);

/* Where a value's first byte lies. Values that share bytes (views, results computed in place, a
 * carry's turns) name one of them, the base, and only bases have an address of their own:
 * values[base].base == base. For each run the executor keeps
 *
 *     pointer[b] of each base b, at first  ARENA         arena + offset
 *                                          CONST         data
 *                                          PARAM, STATE  the store's bytes of place `offset`
 *                                          IO            the bytes bound to input `offset`
 *     address of value v = pointer[v.base] + v.shift
 *
 * and the only thing that changes a pointer is a loop whose carries trade buffers (dg_plan_loop). */
typedef struct dg_plan_value {
    const char *path, *src;  /* "net.unet.stem.out"; "unet.dg:32" or "" */
    const dg_type *type;
    const int64_t *stride;   /* DG_MAX_RANK elements; 0 repeats. Bases are packed, and results of steps
                              * but for concat parts, which have the strides of the whole. Values of one
                              * type share it, and their strides if they are packed */
    dg_home home;            /* of its base */
    int32_t base;            /* whose bytes these are; its own id when it has bytes of its own */
    int32_t of;              /* a view: the value that it shows, which a step stores; else its own id */
    int64_t shift;           /* bytes from the base's first byte */
    int64_t offset;          /* ARENA, CONST: of this value's first byte (base's offset + shift)
                              * PARAM, STATE: index in `places`; IO: index in `inputs` */
    int64_t bytes;           /* of the type; a base's buffer is dg_align of it */
    int32_t first, last;     /* steps at which it is there: made and last read. -1 first: before the
                              * run; n_steps last: kept after it (outputs, new values of places).
                              * What a body reads from outside lasts to the loop's end */
    int32_t producer;        /* step, -1 none. Of a view its base's, of a body's arguments the LOOP,
                              * of a loop's results the LOOP_END */
    int32_t loop;            /* index of the loop whose body makes it, -1 */
    dg_role role;
    const char *alias;       /* NULL: its own bytes; "view" "in-place" "concat part" "carry" "place" */
    const void *data;        /* home CONST, bases only: packed elements in the value's dtype, 64-byte
                              * aligned */
} dg_plan_value;

/* What the kinds read (`in`) and write (`out`):
 *   KERNEL    operands; results. n_own of the operands are the op's own, the others the strip's,
 *             then the prologue's
 *   COPY      in[0], any strides, is stored packed to out[0], a place's new value of the same type
 *   CHECK     in[0], bool of rank 0, must be true, else the run stops with attr "text" and, if
 *             given, in[1] and in[2]
 *   LOOP      initial values of the carries, in order of `carries`; the trip, then the arguments
 *   LOOP_END  next values of the carries, then the stop flag if there is one; the loop's results */
typedef struct dg_plan_step {
    const dg_op *op;         /* NULL for COPY */
    const dg_kernel *kernel; /* NULL: op->ref; both NULL for steps the executor knows itself (kind) */
    enum { DG_STEP_KERNEL, DG_STEP_COPY, DG_STEP_LOOP, DG_STEP_LOOP_END, DG_STEP_CHECK } kind;
    const char *label;       /* "conv2d+add+silu im2col_f32": op and epilogue, or the strip's ops;
                              * then the kernel. "silu>conv2d": behind the prologue's last op */
    dg_attrs attrs;
    const dg_strip *strip;
    const dg_prologue *prologue; /* of an operand that is not stored; NULL: none */
    int n_in, n_own, n_out;
    const int32_t *in, *out; /* value ids */
    int64_t workspace, workspace_bytes; /* offset in the arena, -1 none */
    int64_t scratch_bytes;   /* of each worker */
    double flops;
    int64_t bytes_rw;        /* of operands and results */
    int32_t loop;            /* index of the loop whose body holds it, -1; of a LOOP and its LOOP_END
                              * the loop around them */
    dg_phase phase;
    const char *scope, *src;
    const dg_origin *origin; /* the whole chain, copied; spans are of the compilation's sources */
    int nodes;               /* graph nodes it came from */
    const char *why;         /* last column of the table: "fused 5", "in place", "ws 8 MiB" */
} dg_plan_step;

typedef struct dg_plan_carry {
    int32_t init, arg, next, out; /* values: before the loop, in the body, its result, after the loop */
    uint8_t how;                  /* 1: swap pointer[arg.base] and pointer[next.base] after each trip
                                   * 0: nothing to do: the next value lies where the argument is
                                   *    looked for */
    bool copy_in;                 /* init is not in arg's bytes already */
} dg_plan_carry;

/* At LOOP: for each carry with copy_in, `init` (any strides) is stored packed to `arg`. With no trips
 * at all the run goes on behind LOOP_END: results lie in their carry's bytes (out.base == arg.base).
 * Else the trip counter, from 0, is stored to `trip`.
 * At LOOP_END: the stop flag is read first. Then, in the order of `carries`, every carry with how 1
 * swaps its two pointers. The order matters: with it the swaps one by one do what the carries'
 * parallel assignment says, also for (a, b, c) = (f, a, b) and (a, b) = (b, a). Then, unless the stop
 * flag was true or the trips are over, the trip is counted and the run goes on behind LOOP.
 * Swaps stay: pointers are not set back when a loop ends or begins again in the same run. */
typedef struct dg_plan_loop {
    int32_t begin, end;           /* steps: LOOP and LOOP_END; the body between them */
    int32_t parent;               /* loop whose body holds it, -1 */
    int64_t trips;
    int32_t trip;                 /* value: i32 rank 0 */
    int32_t stop;                 /* value: bool rank 0, or -1 */
    int n_carries;
    const dg_plan_carry *carries;
} dg_plan_loop;

typedef struct dg_plan_place {    /* order and types as the store must hold them */
    const char *path, *src, *init;
    const char *swap;             /* as in dg_place */
    dg_type type;
    bool trained, read, written;
    int32_t value;                /* what it held before the run, -1 when nobody asks */
    int32_t written_value;        /* what it holds after the run: a value in the place's own bytes;
                                   * -1 when not written */
    bool in_place;                /* computed there; else a COPY step stored it. Either way nothing is
                                   * left to do after the run */
} dg_plan_place;

typedef struct dg_plan_port {
    const char *name;
    dg_type type;
    int32_t value;                /* inputs: -1 when nobody reads it; outputs may be views: read them
                                   * by their strides */
    bool report;
} dg_plan_port;

typedef struct dg_plan_file {
    const char *name;
    uint64_t hash;
} dg_plan_file;

typedef struct dg_stage_time {
    const char *stage; /* "front", the passes, "memplan", "plan", "check" */
    double seconds;
} dg_stage_time;

typedef struct dg_plan {
    dg_arena *arena;
    /* header */
    const char *entry;
    bool train;
    bool reference, bf16; /* precision f64; bf16 */
    int n_files;
    const dg_plan_file *files;
    int n_config, n_args;
    const dg_setting *config, *args;
    dg_isa isa;
    const char *blas_core; /* of the library that its kernels call; "none" where none does */
    /* body */
    int n_values, n_steps, n_loops, n_places, n_inputs, n_outputs;
    int n_decisions, n_heuristics;
    const dg_plan_value *values;
    const dg_plan_step *steps;
    const dg_plan_loop *loops;
    const dg_plan_place *places;
    const dg_plan_port *inputs, *outputs;
    const dg_decision *decisions;  /* node and value replaced by step and value ids; -1 where nothing
                                    * of it is left */
    const dg_heuristic *heuristics;
    /* summary: bytes, every tensor rounded up to DG_ALIGN. What a process reserves is
     * weights + grads + state + consts + io + arena_bytes + threads x scratch. */
    int64_t weights, state;        /* of the places: params, states */
    int64_t grads;                 /* of gradients outside the arena: none so far */
    int64_t consts, io;            /* tables; inputs */
    int64_t arena_bytes;           /* high-water of offsets */
    int64_t workspace_peak;        /* largest workspace of a step; inside the arena */
    int64_t scratch;               /* largest of a step, of each worker; outside the arena */
    int64_t peak;                  /* of the arena: arena_bytes */
    int64_t bound;                 /* largest sum of live buffers and workspace at one step of this order */
    int64_t order_free_bound;      /* largest step by itself */
    int64_t naive;                 /* one buffer for each value of this plan */
    int32_t peak_step;             /* where the bound is reached */
    int nodes;                     /* of the graph before fusion */
    double seconds;                /* of compilation; not part of canonical output, as its stages */
    int n_stages;
    const dg_stage_time *stages;
    void *owner;                   /* the runtime's record of what made it; NULL until set, once */
} dg_plan;

static inline const char *dg_plan_precision(const dg_plan *p)
{
    return p->reference ? "f64" : p->bf16 ? "bf16" : "f32";
}

/* Scheduled IR and its layout -> plan, in a new arena. NULL after reporting. */
typedef struct dg_plan_options {
    const dg_pass_options *passes;
    const dg_plan_file *files;
    int n_files;
    const char *(*blas_core)(void); /* asked where a kernel calls LAPACK; NULL: "none" */
    int nodes;
} dg_plan_options;
/* Bytes of the arena that are taken at each step, workspace included: n_steps + 1 numbers, the last
 * one after the run. */
int64_t *dg_plan_live(const dg_plan *p, dg_arena *a);
/* By base: the steps from which to which its buffer is taken; to < 0: none in the arena. */
void dg_plan_taken(const dg_plan *p, int32_t *from, int32_t *to, dg_arena *a);
dg_plan *dg_plan_make(const dg_module *m, const dg_layout *l, const dg_plan_options *o);
bool dg_plan_calls_lapack(const dg_plan *p);
/* Of the canonical JSON: what makes two plans the same. Written out for each call, some milliseconds
 * for a large plan. */
uint64_t dg_plan_hash(const dg_plan *p);
void dg_plan_free(dg_plan *p);

/* The independent checker: own code, reads only the plan (plan.md section 8). Reports E903. */
bool dg_plan_check(const dg_plan *p, dg_diag *d);

/* explain.c says what a plan says once; each format is one file. */
typedef struct dg_explain_options {
    int width;           /* text */
    bool summary_only, canonical;
    bool stages;         /* text: a last line with the time of each stage of compilation */
    int depth;           /* dot */
    int threads;         /* for the reserved total */
} dg_explain_options;
void dg_explain_text(const dg_plan *p, const dg_explain_options *o, dg_text *out);
void dg_explain_json(const dg_plan *p, const dg_explain_options *o, dg_text *out);
void dg_explain_dot(const dg_plan *p, const dg_explain_options *o, dg_text *out);
/* One row a step, for spreadsheets. */
void dg_explain_csv(const dg_plan *p, dg_text *out);
/* Chrome's trace format: a slice for each step, a counter of live bytes. `ns`: by step, of all its
 * trips together; NULL: as estimated. */
void dg_explain_trace(const dg_plan *p, const double *ns, dg_text *out);
/* Who takes the arena where it is fullest, to `depth` scopes, and what would lower it. */
void dg_explain_peak(const dg_plan *p, const dg_explain_options *o, dg_text *out);
void dg_explain_peak_json(const dg_plan *p, const dg_explain_options *o, dg_text *out);
/* About a value ("net.h", "%7") or a step ("@12"), as text or as an object. False: there is none;
 * *close is then a name that could be meant, or NULL. */
bool dg_explain_why(const dg_plan *p, const char *subject, bool json, dg_text *out, const char **close);
/* The steps of the scope that a path names or belongs to: where a value went that is not stored. */
void dg_why_steps_of(const dg_plan *p, const char *subject, dg_text *out);

/* What differs between two plans, or two results of --analyze, as JSON texts: false after reporting
 * that one is none. */
typedef struct dg_plan_text {
    const char *name, *text;
    size_t length;
} dg_plan_text;
typedef struct dg_plan_difference {
    int n;               /* differences; 0: the plans say the same */
    int64_t peak_before, peak_after;
    double ms_before, ms_after; /* of a run; 0: plans do not say */
} dg_plan_difference;
bool dg_plan_diff(dg_diag *d, const dg_plan_text *a, const dg_plan_text *b, dg_plan_difference *out, dg_text *text);

/* clang-format on */

#endif
