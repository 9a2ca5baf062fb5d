/* inputs.h: what fills the tensor arguments of an entry: arrays from files, or samples of a data
 * set by name. */
#ifndef DG_RUNTIME_INPUTS_H
#define DG_RUNTIME_INPUTS_H

#include "runtime/data/dataset.h"
#include "runtime/session.h"

/* NAME=FILE.npy or NAME=FILE.safetensors:TENSOR: read, converted to the input's dtype where every
 * number fits, checked against its shape. Reports E2xx unknown names, E44x shapes. */
bool dg_inputs_from_files(dg_diag *d, dg_session *s, const dg_arg_text *list, int n);

/* Numbers from -1 to 1 in inputs of f32, for runs that are only timed; others stay zero. */
void dg_inputs_random(dg_session *s, uint64_t seed);

/* How a data set fills an entry's inputs: `x` data and `y` labels, or as the map says (value "data"
 * or "labels"). All leading axes beyond the sample's own are the batch: they must agree between the
 * inputs. */
typedef struct dg_binding {
    int data, labels; /* indices of inputs, -1 none */
    int64_t batch;    /* samples in one run */
    float *x;         /* [batch, sample]: where the data set writes */
    int32_t *y;       /* [batch] */
} dg_binding;
/* False after reporting (E440): an input that nothing fills, a shape that is not the data's. `map`:
 * pairs input = source. Inputs named in `filled` (NULL-ended, may be NULL) have their data already.
 */
bool dg_bind_inputs(dg_diag *d, dg_session *s, const dg_dataset *data, const dg_arg_text *map,
                    int n_map, const char *const *filled, dg_binding *out);
/* Samples at [first, first + batch) of a part into x, y and from there into the inputs, converted
 * to their dtypes. */
void dg_fill_inputs(dg_session *s, const dg_dataset *data, dg_part part, uint64_t window,
                    int64_t first, dg_binding *b);
/* x and y of the binding, filled already, into the inputs. */
void dg_put_inputs(dg_session *s, const dg_dataset *data, const dg_binding *b);

#endif
