/* plan.h: the execution plan: flat, immutable, in an arena of its own. It is everything the runtime needs and everything a person may
 * ask (reference: docs/plans.md). Several threads and sessions may share one plan. */
#ifndef DG_PLAN_PLAN_H
#define DG_PLAN_PLAN_H

#include "compiler/passes/passes.h"

typedef enum dg_role { DG_ROLE_ACTIVATION, DG_ROLE_RESIDUAL, DG_ROLE_GRADIENT, DG_ROLE_CARRY, DG_ROLE_TABLE, DG_ROLE_PARAM,
                       DG_ROLE_STATE, DG_ROLE_INPUT, DG_ROLE_OUTPUT, DG_ROLES } dg_role;
const char *dg_role_name(dg_role r);

typedef struct dg_plan_value {
    const char *path, *src;  /* "net.unet.stem.out"; "unet.dg:32" */
    dg_type type;
    int64_t stride[DG_MAX_RANK];
    dg_home home;
    int32_t base;            /* id of the value whose bytes these are */
    int64_t shift, offset, bytes;
    int32_t first, last;     /* steps */
    int32_t producer;        /* step, -1 none */
    dg_role role;
    const char *alias;       /* NULL or how */
    const void *data;        /* home CONST: packed elements in the value's dtype */
} dg_plan_value;

typedef struct dg_plan_step {
    const dg_op *op;
    const dg_kernel *kernel; /* NULL: op->ref; both NULL for the steps the executor knows itself (kind) */
    enum { DG_STEP_KERNEL, DG_STEP_COPY, DG_STEP_LOOP, DG_STEP_LOOP_END, DG_STEP_CHECK } kind;
    const char *label;       /* "conv3x3 im2col +bias": op, kernel, epilogue in words */
    dg_attrs attrs;
    const dg_strip *strip;
    int n_in, n_own, n_out;
    const int32_t *in, *out; /* value ids */
    int64_t workspace, workspace_bytes; /* offset in the arena, -1 none */
    int64_t scratch_bytes;   /* of each worker */
    double flops;
    int64_t bytes_rw;
    int32_t loop;            /* index of the loop that holds it, -1 */
    dg_phase phase;
    const char *scope, *src;
    const dg_origin *origin;
    int nodes;               /* graph nodes it came from */
    const char *why;         /* last column of the table: "fused 5", "in place", "ws 8 MiB" */
} dg_plan_step;

typedef struct dg_plan_carry {
    int32_t init, arg, next, out; /* values: before the loop, in the body, the body's result, after the loop */
    uint8_t how;                  /* 0: next is computed in arg's bytes; 1: two buffers swapped after each trip; 2: copied */
    bool copy_in;                 /* init is not in arg's bytes already */
} dg_plan_carry;

typedef struct dg_plan_loop {
    int32_t begin, end;           /* steps: DG_STEP_LOOP and DG_STEP_LOOP_END; the body between them */
    int32_t parent;
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
    int32_t value;                /* the `place` value, -1 when only written */
    int32_t written_value;        /* the value to be stored at the end; its bytes may be the place's own */
    bool in_place;                /* then nothing is copied */
} dg_plan_place;

typedef struct dg_plan_port {
    const char *name;
    dg_type type;
    int32_t value;
    bool report;
} dg_plan_port;

typedef struct dg_plan_file {
    const char *name;
    uint64_t hash;
} dg_plan_file;

typedef struct dg_plan {
    dg_arena *arena;
    /* header */
    const char *entry;
    bool train, reference;
    int n_files;
    const dg_plan_file *files;
    int n_config, n_args;
    const dg_setting *config, *args;
    dg_isa isa;
    const char *blas_core;
    /* body */
    int n_values, n_steps, n_loops, n_places, n_inputs, n_outputs, n_decisions, n_heuristics;
    const dg_plan_value *values;
    const dg_plan_step *steps;
    const dg_plan_loop *loops;
    const dg_plan_place *places;
    const dg_plan_port *inputs, *outputs;
    const dg_decision *decisions;  /* node and value replaced by step and value ids */
    const dg_heuristic *heuristics;
    /* summary: bytes */
    int64_t weights, grads, state, consts, io, arena_bytes, workspace_peak, scratch;
    int64_t peak, bound, order_free_bound, naive;
    int32_t peak_step;
    int nodes;                     /* of the graph before fusion */
    double seconds;                /* of compilation; not part of canonical output */
    uint64_t hash;                 /* of the canonical JSON */
    void *owner;                   /* the runtime's record of what made it; NULL until set, once */
} dg_plan;

/* Scheduled IR and its layout -> plan, in a new arena. NULL after reporting. */
typedef struct dg_plan_options {
    const dg_pass_options *passes;
    const dg_plan_file *files;
    int n_files;
    const char *blas_core;
    int nodes;
} dg_plan_options;
dg_plan *dg_plan_make(const dg_module *m, const dg_layout *l, const dg_plan_options *o);
void dg_plan_free(dg_plan *p);

/* The independent checker: own code, reads only the plan (plan.md section 8). Reports E903. */
bool dg_plan_check(const dg_plan *p, dg_diag *d);

/* explain.c says what a plan says once; each format is one file. */
typedef struct dg_explain_options {
    int width;           /* text */
    bool summary_only, canonical;
    int depth;           /* dot */
    int threads;         /* for the reserved total */
} dg_explain_options;
void dg_explain_text(const dg_plan *p, const dg_explain_options *o, dg_text *out);
void dg_explain_json(const dg_plan *p, const dg_explain_options *o, dg_text *out);
void dg_explain_dot(const dg_plan *p, const dg_explain_options *o, dg_text *out);

#endif
