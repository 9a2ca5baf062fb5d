/* replay.h: what repeats a picture: one function for each verb that makes pictures with text. */
#ifndef DG_RUNTIME_REPLAY_H
#define DG_RUNTIME_REPLAY_H

#include "runtime/made.h"

typedef struct dg_again { /* the facts' paths as they can be opened here */
    const char *from, *weights, *ends[2];
    const dg_arg_text *inputs;
} dg_again;

/* The picture that the facts tell of, made anew: the bytes of its file, text included (paths as the
 * facts have them). Reports what has changed since (E435) before anything runs. */
dg_status dg_sample_again(dg_context *c, const dg_made *made, const dg_again *where, dg_text *png);
dg_status dg_interp_again(dg_context *c, const dg_made *made, const dg_again *where, dg_text *png);

#endif
