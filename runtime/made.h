/* made.h: what made a picture: the facts that stand as text in its PNG file, so that `dg replay`
 * can make it again (docs/cli.md, "Pictures"). A run is named by its content, never by its path.
 * Nothing in it depends on clock, host or thread count. */
#ifndef DG_RUNTIME_MADE_H
#define DG_RUNTIME_MADE_H

#include "compiler/plan/plan.h"
#include "runtime/png_text.h"
#include "runtime/store.h"

#include <dg/dg.h>

typedef struct dg_made {
    const char *verb; /* "sample" or "interp" */
    /* Names of files stand as the command line has them. */
    const char *file;    /* the .dg file; NULL: a run folder */
    const char *weights; /* given apart; NULL: the run's own, or fresh ones */
    const char *ends[2]; /* of an interpolation: whole numbers or files; NULL: none */
    const char *space;   /* of an interpolation */
    const dg_arg_text *inputs;
    const dg_arg_text *args, *defs; /* static ones as text of the language: no @FILE */
    int n_inputs, n_args, n_defs;
    const char *entry;
    int64_t step;          /* of the weights */
    uint64_t graph;        /* hash: sources with their config values */
    uint64_t weights_hash; /* of the places that the plan has, before the run */
    const char *precision, *isa, *blas_core, *program;
    const char *conv; /* the way asked for of convolutions; "" */
    const char *skip; /* optional passes left out, with blanks between; "" */
    uint64_t seed;
    int64_t sample0, n;
    int64_t rows, columns; /* of the grid */
} dg_made;

/* How far what was opened is what made a picture. */
typedef enum dg_met { DG_MET_NOTHING, DG_MET_GRAPH, DG_MET_STEP, DG_MET_ALL } dg_met;

/* The plan's facts: graph, precision, isa, blas_core, program, conv, skip (in `a`). */
void dg_made_take_plan(dg_made *m, dg_arena *a, const dg_plan *p);
/* Sources with their config values: what a changed run is known by. */
uint64_t dg_graph_hash(const dg_plan *p);
/* Of the places of a plan in the store, by path. */
uint64_t dg_places_hash(const dg_plan *p, struct dg_store *s);

void dg_made_write(const dg_made *m, dg_arena *a, dg_png_text *out); /* as text */
/* From text. False after reporting E446 at `place`: text missing or malformed. */
bool dg_made_read(dg_diag *d, dg_arena *a, const char *place, const dg_png_text *t, dg_made *out);

#endif
