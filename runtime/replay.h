/* replay.h: what repeats a picture: one function for each verb that makes pictures with text. */
#ifndef DG_RUNTIME_REPLAY_H
#define DG_RUNTIME_REPLAY_H

#include "runtime/made.h"

typedef struct dg_again { /* the facts' names as they can be opened here */
    const char *from, *weights, *ends[2];
    const dg_arg_text *inputs;
    dg_met met; /* out: how far `from` and `weights` are those of the facts */
} dg_again;

/* The picture that the facts tell of, made anew: the bytes of its file, text included (names as the
 * facts have them). Reports another graph or other weights (E435) before anything runs. */
dg_status dg_sample_again(dg_context *c, const dg_made *made, dg_again *where, dg_text *png);
dg_status dg_interp_again(dg_context *c, const dg_made *made, dg_again *where, dg_text *png);

/* Run folders where the run of a picture may be: those above it; then the current folder, the
 * folders in it and in its `runs`; then the same of the picture's folder. */
int dg_replay_runs(dg_arena *a, const char *picture, const char *const **out);

#endif
