/* draw.h: what the random ops share: where a draw's numbers lie, and its pieces.
 *
 * A draw is a pure function of the run's seed and step, the stream's key, the trip and the element
 * (compiler/base/rng.h). Elements are counted from sample0 * (elements per leading index), so that
 * samples made in several runs have the numbers of one run; a draw of rank 0 belongs to no sample
 * and is not shifted. */
#ifndef DG_OPS_DRAW_H
#define DG_OPS_DRAW_H

#include "ops/ops.h"

#include "compiler/base/rng.h"

enum { DG_DRAW_TRIP }; /* input 0: i32 of rank 0 */

#define DG_DRAW_ATTRS                                                                              \
    {"shape", DG_INTS, .required = true, .doc = "dims of the result"},                             \
    {                                                                                              \
        "key", DG_INT, .required = true, .doc = "hash of the stream's path"                        \
    }

/* The generator of a draw with these attributes, and the number of its first element; of a call
 * whose output 0 it is. */
dg_rng dg_draw_rng_of(const dg_run *run, const dg_attrs *attrs, int32_t trip);
uint64_t dg_draw_first_of(const dg_run *run, const dg_shape *shape);
dg_rng dg_draw_rng(const dg_call *k);
uint64_t dg_draw_first(const dg_call *k);
bool dg_draw_infer(dg_infer *t, dg_dtype dtype); /* the trip, and output 0 by `shape` */

/* A draw of floats: elements first .. first + n - 1 of a generator. */
typedef void dg_draw_fn(const dg_rng *r, uint64_t first, int64_t n, float *out);
bool dg_draw_infer_floats(dg_infer *t);
void dg_draw_floats(const dg_call *k, dg_draw_fn *draw);  /* output 0, f32, in pieces */
void dg_draw_doubles(const dg_call *k, dg_draw_fn *draw); /* the same numbers, widened: of a ref */

/* A piece is a multiple of the four elements that share a block of the generator. */
#define DG_DRAW_PIECE 8192
int64_t dg_draw_pieces(const dg_call *k);
int64_t dg_draw_length(const dg_call *k, int64_t piece); /* elements of a piece */

#endif
