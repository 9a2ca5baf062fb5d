/* dg.h: the public interface of libdg. Everything else is private.
 *
 * A context holds settings and callbacks; a program is a `.dg` file with its imports; a plan is one
 * entry of it, compiled (immutable, may be shared by threads); a session is a plan's mutable state:
 * a store of parameters and states, and the arena.
 *
 *     dg_context *c = dg_context_new(NULL);
 *     dg_program *p = dg_program_open(c, "model.dg", NULL, 0);
 *     dg_plan *step = dg_plan_compile(p, "step", NULL, 0);
 *     dg_store *store = dg_store_new(c);
 *     dg_session *s = dg_session_new(step, store);
 *     dg_session_bind(s, "x", data, bytes);
 *     dg_session_run(s);
 *     dg_session_read(s, "result", &loss, sizeof loss);
 *
 * Functions return NULL or a status other than DG_OK on failure, after calling the message
 * callback. The library never prints, never exits, and changes no environment variable, signal
 * handler or locale. Handles of one context are for one thread at a time, but dg_cancel may be
 * called from any thread and from a signal handler. */
#ifndef DG_DG_H
#define DG_DG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DG_API __attribute__((visibility("default")))
#else
#define DG_API
#endif

#define DG_VERSION "0.1.0"

/* Also the exit codes of the program `dg`. */
typedef enum dg_status {
    DG_OK = 0,
    DG_INTERNAL = 1,   /* a bug in dg */
    DG_USAGE = 2,      /* wrong option or environment */
    DG_SOURCE = 3,     /* .dg source or run file is wrong */
    DG_FILE_BAD = 4,   /* weights, checkpoint or data file is wrong */
    DG_IO = 5,         /* cannot read or write */
    DG_MEMORY = 6,     /* out of memory, or over the budget */
    DG_DIVERGED = 7,   /* training diverged */
    DG_CHECK = 8,      /* a check did not pass */
    DG_CANCELLED = 130 /* stopped by dg_cancel; training state saved */
} dg_status;

DG_API const char *dg_version(void);
/* Build id, compiler, CPU's ISA level, OpenBLAS version and core type; loads OpenBLAS. Valid for
 * the life of the context. */
typedef struct dg_context dg_context;
DG_API const char *dg_build_info(dg_context *c);
/* What OPENBLAS_CORETYPE should be on this CPU, or NULL where OpenBLAS knows it. A program sets it
 * at the begin of main, before anything loads OpenBLAS: the library changes no environment, and the
 * wrong core type costs a factor of up to 7. OPENBLAS_NUM_THREADS=1 belongs there, too: threads of
 * its own would wait for work by taking CPU from ours. */
DG_API const char *dg_blas_core_for_cpu(void);

/* ---- context ---- */

typedef struct dg_report { /* one message */
    bool error;            /* else a warning */
    const char *id;        /* "E018" */
    const char *text;      /* as for a terminal, without colours: several lines */
    const char *json;      /* the same as one JSON object */
    int status;            /* what it makes the program's exit code */
} dg_report;

typedef struct dg_progress { /* during long work */
    const char *verb;        /* "train", "sample", ... */
    int64_t done, total;     /* steps */
    double seconds;          /* since the start */
    double rate;             /* steps per second, median of the last 50 */
    double eta;              /* seconds to go */
    int n;                   /* named numbers: loss, grad_norm, lr, ... */
    const char *const *names;
    const double *values;
    int64_t next_save; /* step, -1 none */
    const char *event; /* NULL, or a line worth keeping: "saved ...", "wrote ..." */
    const char *json;  /* the metrics line, when this step was logged; NULL otherwise */
} dg_progress;

typedef struct dg_options {
    int threads;             /* 0: DG_THREADS, else the number of CPUs */
    const char *isa;         /* NULL: DG_ISA, else the best; "generic" "avx2" "avx512" */
    const char *precision;   /* NULL or "f32"; "bf16": products by AMX, where there is one; "f64": the
                                reference */
    uint64_t memory;         /* budget of a plan in bytes; 0: none */
    const char *conv;        /* NULL or "auto": by cost; "direct" "winograd2" "winograd4" */
    const char *const *skip; /* optional passes to leave out; NULL-ended */
    const char *const *lib;  /* library folders before DG_PATH and the installed one; NULL-ended */
    bool strict;             /* warnings are errors */
    const char *check;       /* NULL; "finite", "poison", "naive": see `dg help run` */
    bool verify;             /* verify the graph after every pass */
    void (*message)(void *user, const dg_report *r);
    void (*progress)(void *user, const dg_progress *p);
    void *user;
} dg_options;

DG_API dg_context *dg_context_new(
    const dg_options *o); /* NULL options: defaults. NULL after calling o->message on bad options */
DG_API void dg_context_free(dg_context *c);
/* of the first error since the last dg_context_clear */
DG_API dg_status dg_context_status(const dg_context *c);
DG_API void dg_context_clear(dg_context *c);
/* finish the step, save, return DG_CANCELLED; async-signal-safe */
DG_API void dg_cancel(dg_context *c, int signal);
/* training: save after this step and go on; async-signal-safe */
DG_API void dg_save_soon(dg_context *c);

/* ---- programs ---- */

typedef struct dg_program dg_program;
typedef struct dg_arg_text { /* a static value by name: -D NAME=VALUE, entry arguments */
    const char *name;
    const char *value; /* text in the language, or @FILE (JSON or NPY) */
    const char *place; /* for messages; NULL: the name */
} dg_arg_text;

DG_API dg_program *dg_program_open(dg_context *c, const char *path, const dg_arg_text *config,
                                   int n_config);
DG_API dg_program *dg_program_open_text(dg_context *c, const char *name, const char *text,
                                        size_t length, const dg_arg_text *config, int n_config);
DG_API void dg_program_free(dg_program *p);
DG_API dg_status dg_program_check(dg_program *p,
                                  const char *entry); /* elaborates every entry (or one) */

typedef struct dg_entry {
    const char *name, *doc;
    enum { DG_KIND_ENTRY, DG_KIND_TRAIN, DG_KIND_TEST } kind;
    bool in_main;
} dg_entry;
DG_API int dg_program_entries(dg_program *p, const dg_entry **out);

/* Canonical source text; free with dg_free. NULL after reporting. */
DG_API char *dg_format_text(dg_context *c, const char *name, const char *text, size_t length);
DG_API void dg_free(void *p);

/* ---- plans ---- */

typedef struct dg_plan dg_plan;
DG_API dg_plan *dg_plan_compile(dg_program *p, const char *entry, const dg_arg_text *args,
                                int n_args);
/* From the IR that `--dump` printed. */
DG_API dg_plan *dg_plan_from_ir(dg_context *c, const char *name, const char *text, size_t length);
/* IR after a stage ("ast", "graph", or a pass); free with dg_free. */
DG_API char *dg_plan_dump(dg_program *p, const char *entry, const dg_arg_text *args, int n_args,
                          const char *stage);
DG_API void dg_plan_close(dg_plan *p);

typedef struct dg_plan_view {
    const char *format; /* "text" "json" "dot" "csv" "trace" */
    bool summary, canonical;
    int width, depth;
    bool peak;       /* who takes the arena where it is fullest, and what would lower that */
    const char *why; /* about one value ("net.h", "%7") or step ("@12"); NULL */
    bool stages;     /* of text: a last line with the time of each stage of compilation */
} dg_plan_view;
DG_API char *dg_plan_show(dg_plan *p, const dg_plan_view *v); /* free with dg_free */
/* Runs the plan with made-up inputs and sets each step's time beside the estimate. */
typedef struct dg_analyze_options {
    int runs;           /* that count; 0: 5 */
    bool roof;          /* measure what the machine can do at most, too */
    bool by_time;       /* slowest steps first, else in order */
    bool summary;       /* only the sums */
    const char *format; /* "text" "json" "trace" */
    uint64_t seed;
} dg_analyze_options;
DG_API char *dg_plan_analyze(dg_plan *p, const dg_analyze_options *o); /* free with dg_free */
/* What differs between two plans, or two results of dg_plan_analyze, in JSON. DG_OK also where they
 * differ. */
typedef struct dg_plan_comparison {
    const char *name[2], *json[2];
    size_t length[2];
    char *text;      /* out: free with dg_free */
    int differences; /* out */
    int64_t peak[2]; /* out: bytes */
    double ms[2];    /* out: of a run, if dg_plan_analyze wrote them; else 0 */
} dg_plan_comparison;
DG_API dg_status dg_plan_compare(dg_context *c, dg_plan_comparison *x);

typedef struct dg_tensor_info {
    const char *name;
    const char *dtype; /* "f32" "f64" "i32" "u8" "bool" */
    int rank;
    int64_t dims[8];
    size_t bytes;
    bool report;        /* outputs: made by report() */
    bool trained;       /* places: a param */
    const char *source; /* places: "unet.dg:32" */
    const char *init;   /* places: the initialiser's text */
} dg_tensor_info;
DG_API int dg_plan_inputs(dg_plan *p, const dg_tensor_info **out);
DG_API int dg_plan_outputs(dg_plan *p, const dg_tensor_info **out);
DG_API int dg_plan_places(dg_plan *p, const dg_tensor_info **out);

typedef struct dg_plan_figures {
    int64_t steps, values, nodes, flops;
    int64_t weights, grads, state, consts, io, arena, workspace, bound, naive, total;
    double seconds;
} dg_plan_figures;
DG_API void dg_plan_figures_of(dg_plan *p, dg_plan_figures *out);

/* ---- stores: tensors that outlive a run, by path ---- */

typedef struct dg_store dg_store;
DG_API dg_store *dg_store_new(dg_context *c);
DG_API void dg_store_free(dg_store *s);
/* A safetensors file, a checkpoint folder or a run folder. `scope` (may be NULL): only places below
 * it, e.g. "enc". */
DG_API dg_status dg_store_load(dg_store *s, const char *path, const char *scope);
/* one safetensors file, written beside and renamed */
DG_API dg_status dg_store_save(dg_store *s, const char *path);
DG_API int dg_store_tensors(dg_store *s, const dg_tensor_info **out);
DG_API const void *dg_store_data(dg_store *s, const char *path); /* NULL: none of that name */

/* ---- sessions ---- */

typedef struct dg_session dg_session;
/* initialises the places the store lacks before the first run */
DG_API dg_session *dg_session_new(dg_plan *p, dg_store *s);
DG_API void dg_session_free(dg_session *s);
DG_API void dg_session_seed(dg_session *s, uint64_t seed);
DG_API void dg_session_sample0(dg_session *s, int64_t first);
DG_API dg_status dg_session_bind(dg_session *s, const char *input, const void *data,
                                 size_t bytes); /* copied, row-major, the input's dtype */
DG_API dg_status dg_session_run(dg_session *s);
DG_API dg_status dg_session_read(dg_session *s, const char *output, void *data, size_t bytes);
/* runs of train entries so far, kept in the store */
DG_API int64_t dg_session_step(const dg_session *s);
DG_API size_t dg_session_arena_used(const dg_session *s); /* high-water of the arena, in bytes */

/* ---- whole jobs: what the verbs do ---- */

typedef struct dg_train_options {
    const char *config; /* run file */
    const char *out;    /* run folder; NULL: the config's `out` and a number */
    const char *name;
    int64_t steps;           /* 0: the config's */
    const char *const *set;  /* KEY=VALUE for the run file; NULL-ended */
    const dg_arg_text *defs; /* -D */
    int n_defs;
    const char *const *init; /* SCOPE=FILE; NULL-ended */
    bool dry_run, resume_if_exists, has_seed;
    uint64_t seed;
} dg_train_options;
DG_API dg_status dg_train(dg_context *c, const dg_train_options *o);

typedef struct dg_resume_options {
    const char *run;
    int64_t steps;            /* 0: as before; the total to reach */
    int64_t at;               /* -1: latest */
    const char *graph;        /* another .dg: keeps what fits; NULL */
    const char *const *allow; /* keys that may differ; NULL-ended */
} dg_resume_options;
DG_API dg_status dg_resume(dg_context *c, const dg_resume_options *o);

typedef struct dg_sample_options {
    const char *from;    /* run folder or .dg file */
    const char *entry;   /* NULL: the run's sample entry, or "sample" */
    const char *weights; /* file or folder; NULL: the run's latest checkpoint */
    const dg_arg_text *args, *defs;
    int n_args, n_defs;
    int64_t n, sample0; /* n 0: the entry's own; sample i has its own draws, whatever the batch */
    int grid_rows, grid_cols;  /* 0: near square */
    const char *out;           /* .png, .npy or a folder */
    const dg_arg_text *inputs; /* NAME=FILE for tensor arguments */
    int n_inputs;
    bool has_seed;
    uint64_t seed;
} dg_sample_options;
DG_API dg_status dg_sample(dg_context *c, const dg_sample_options *o);

/* Pictures on the way from one latent or picture to another: the entry `interp` (docs/cli.md). */
typedef struct dg_interp_options {
    const char *from_run; /* run folder or .dg file */
    const char *entry;    /* NULL: "interp" */
    const char *weights;  /* as of dg_sample_options */
    const dg_arg_text *args, *defs;
    int n_args, n_defs;
    const char *from,
        *to;           /* two indices of samples, or two files: .png, .npy, .safetensors:TENSOR */
    const char *space; /* NULL: "slerp"; "cos_sin" "lerp" "noise" */
    int64_t frames;    /* 0: the entry's own */
    const char *out;   /* NULL: strip.png; .png or .npy */
    bool has_seed;
    uint64_t seed;
} dg_interp_options;
DG_API dg_status dg_interp(dg_context *c, const dg_interp_options *o);

/* Makes a picture of dg_sample or dg_interp again by the text in it and compares the bytes: DG_OK,
 * or DG_CHECK with the first difference in a message. */
typedef struct dg_replay_options {
    const char *picture;
    const char *run; /* NULL: looked for by content above the picture, here and beside it */
    const char *out; /* for the picture made now; NULL */
    bool json;
    char *text; /* out: the outcome; free with dg_free */
} dg_replay_options;
DG_API dg_status dg_replay(dg_context *c, dg_replay_options *o);

/* An entry over a part of a run's data, batch by batch: bits per dimension with parts and standard
 * error (dg_eval, entry `eval`), or rate against distortion (dg_curve, entry `curve`). */
typedef struct dg_eval_options {
    const char *run;
    const char *entry;   /* NULL: dg_eval the run file's entries.eval, else "eval"; "curve" */
    const char *weights; /* file or folder; NULL: the run's latest checkpoint */
    const dg_arg_text *args, *defs;
    int n_args, n_defs;
    const char *data;  /* another data set, read with the run's settings: path or kind; NULL */
    const char *split; /* "train" "valid" "all"; NULL: valid where there is one, else all */
    int64_t n;         /* samples; 0: the whole part, or 16 batches of an endless one */
    int64_t points;    /* dg_curve: rows to write; 0: all */
    const char *out;   /* dg_eval .json .csv .npy, dg_curve .csv .svg; NULL */
    /* dg_eval: samples of `run`, or those in a data set of this name, are judged by this run's
     * entries; `data` and `split` are then those of real samples, `args` and `entry` of the entry
     * that makes samples; n 0: 1000, or as many as there are. NULL: bits per dimension. */
    const char *judge;
    bool real_all; /* all real samples, not as many as are judged */
    int64_t every; /* the bound from one in so many of its terms; 0: every term */
    bool has_seed, json;
    uint64_t seed;
    char *text; /* out: the result; free with dg_free */
} dg_eval_options;
DG_API dg_status dg_eval(dg_context *c, dg_eval_options *o);
DG_API dg_status dg_curve(dg_context *c, dg_eval_options *o);

typedef struct dg_run_options {
    const char *file, *entry;
    const dg_arg_text *args, *defs,
        *inputs; /* inputs: NAME=FILE.npy or NAME=FILE.safetensors:TENSOR */
    int n_args, n_defs, n_inputs;
    const char *weights;      /* run folder or file; NULL: fresh */
    const char *const *init;  /* SCOPE=FILE */
    const char *data;         /* data set path or generator name; NULL */
    const char *data_options; /* YAML text of a `data:` section; NULL */
    const char *save;         /* file for the states it wrote; NULL */
    const char *out;          /* folder, .npy, .png, or NULL: small results as text */
    int64_t sample0;
    bool has_seed, json;
    uint64_t seed;
    char *text; /* out: results as text when `out` is NULL, with `json` as one object; dg_free it */
} dg_run_options;
DG_API dg_status dg_run_entry(dg_context *c, dg_run_options *o);

/* Times entries of a file that need no arguments: those whose name is one of `names` or begins with
 * it and `_`, or all. DG_CHECK when one takes over 5 % longer than in `against`. */
typedef struct dg_bench_options {
    const char *file; /* NULL: the library's bench/ops.dg, an entry or more for each op */
    const char *const *names;
    int n_names;
    const dg_arg_text *args, *defs;
    int n_args, n_defs;
    int64_t repeat;      /* runs of each; 0: at least 5, for about 2 s */
    const char *against; /* a result in JSON; NULL */
    const char *format;  /* NULL: "text"; "md" "csv" "json" */
    bool roof; /* measure what the machine can do at most; without file and names nothing else */
    uint64_t seed;
    char *text; /* out: the result; free with dg_free */
} dg_bench_options;
DG_API dg_status dg_bench(dg_context *c, dg_bench_options *o);

/* Runs the tests of a file whose title holds `filter`. */
typedef struct dg_test_result {
    const char *title;
    bool passed;
    const char *why;
    double seconds;
} dg_test_result;
DG_API dg_status dg_test(dg_context *c, const char *file, const dg_arg_text *defs, int n_defs,
                         const char *filter, void (*done)(void *user, const dg_test_result *r),
                         void *user);

/* What any file is, as text; free with dg_free. */
DG_API char *dg_info(dg_context *c, const char *path, bool json);

typedef struct dg_weights_options {
    const char *verb;         /* "info" "check" "import" "export" "diff" */
    const char *from, *other; /* file, run folder */
    const char *into;         /* .dg file */
    const char *entry;        /* whose places; NULL: all entries' */
    const dg_arg_text *defs;
    int n_defs;
    const char *map;   /* name map */
    const char *like;  /* export with a map: the file whose names and shapes are written; NULL: what
                          the import noted */
    const char *state; /* export: "ema" */
    const char *dtype; /* export: "F32" "F16" "BF16" */
    const char *out;
    char *text; /* out: the table; free with dg_free */
    bool json;
} dg_weights_options;
DG_API dg_status dg_weights(dg_context *c, dg_weights_options *o);

/* Documentation of an op, or the list; free with dg_free. NULL: unknown op (reported). */
DG_API char *dg_ops_text(dg_context *c, const char *op, bool json);
DG_API char *dg_explain_text_of(dg_context *c, const char *id); /* "E018" */
/* The i-th pass of the compiler; false after the last. */
DG_API bool dg_pass_text(int i, const char **name, const char **summary, bool *optional);

#ifdef __cplusplus
}
#endif

#endif
