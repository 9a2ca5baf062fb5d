/* inputs.c: fills the tensor arguments of an entry, from files or from a data set, and refuses what
 * does not fit before anything runs. */
#include "runtime/inputs.h"

#include "compiler/base/rng.h"

#include "runtime/data/npy.h"
#include "runtime/safetensors.h"

#include <string.h>

static const char *type_text(dg_arena *a, const dg_type *t)
{
    return dg_type_name(a, t);
}

static bool wrong_shape(dg_diag *d, dg_session *s, const char *place, const dg_plan_port *p,
                        const dg_type *have)
{
    dg_error_at(d, "E440", place, "input %s is %s, the file holds %s", p->name,
                type_text(s->arena, &p->type), type_text(s->arena, have));
    return false;
}

/* An array of one of our dtypes into an input, exactly or not at all. */
static bool place_array(dg_diag *d, dg_session *s, int input, const char *place,
                        const dg_type *have, const void *data)
{
    const dg_plan_port *p = &s->plan->inputs[input];
    if (!dg_shape_equal(&have->shape, &p->type.shape)) return wrong_shape(d, s, place, p, have);
    dg_st_tensor view = {.name = p->name,
                         .dtype = dg_st_dtype_of(have->dtype),
                         .shape = have->shape,
                         .data = data,
                         .bytes = (size_t)dg_type_bytes(have)};
    int64_t bad = 0;
    if (dg_st_convert(&view, p->type.dtype, dg_session_input(s, input), &bad)) return true;
    dg_error_at(d, "E424", place, "number %lld does not fit in input %s of %s", (long long)bad,
                p->name, dg_dtype_name(p->type.dtype));
    return false;
}

static bool from_safetensors(dg_diag *d, dg_session *s, int input, const char *path,
                             const char *tensor)
{
    dg_st_file f;
    if (!dg_st_open(d, s->arena, path, &f)) return false;
    const dg_st_tensor *t = dg_st_find(&f, tensor);
    const dg_plan_port *p = &s->plan->inputs[input];
    bool ok = false;
    int64_t bad = 0;
    if (!t) {
        dg_message *m = dg_error_at(d, "E421", path, "has no tensor \"%s\"", tensor);
        for (int i = 0; i < f.n; i++)
            if (dg_edit_distance(tensor, f.tensors[i].name, 2) <= 2) {
                dg_help_add(d, m, "did you mean \"%s\"?", f.tensors[i].name);
                break;
            }
    } else if (!dg_shape_equal(&t->shape, &p->type.shape)) {
        dg_type have = {p->type.dtype, t->shape};
        wrong_shape(d, s, dg_arena_printf(s->arena, "%s@%zu", path, t->offset), p, &have);
    } else {
        ok = dg_st_convert(t, p->type.dtype, dg_session_input(s, input), &bad);
        if (!ok)
            dg_error_at(d, "E424", dg_arena_printf(s->arena, "%s@%zu", path, t->offset),
                        "number %lld of \"%s\" does not fit in input %s of %s", (long long)bad,
                        tensor, p->name, dg_dtype_name(p->type.dtype));
    }
    dg_st_close(&f);
    return ok;
}

static bool unknown_input(dg_diag *d, const dg_session *s, const char *name)
{
    dg_message *m = dg_error_at(d, "E217", "--in", "entry '%s' has no tensor argument '%s'",
                                s->plan->entry, name);
    dg_text list = {0};
    for (int i = 0; i < s->plan->n_inputs; i++)
        dg_text_add(&list, "%s%s", i ? ", " : "", s->plan->inputs[i].name);
    dg_help_add(d, m, "its tensor arguments: %s", list.at ? list.at : "none");
    dg_text_free(&list);
    return false;
}

bool dg_inputs_from_files(dg_diag *d, dg_session *s, const dg_arg_text *list, int n)
{
    for (int i = 0; i < n; i++) {
        int input = dg_session_input_index(s, list[i].name);
        if (input < 0) return unknown_input(d, s, list[i].name);
        const char *colon = strstr(list[i].value, ".safetensors:");
        if (colon) {
            size_t length = (size_t)(colon - list[i].value) + strlen(".safetensors");
            if (!from_safetensors(d, s, input, dg_arena_text(s->arena, list[i].value, length),
                                  list[i].value + length + 1))
                return false;
            continue;
        }
        dg_npy npy;
        if (!dg_npy_read(d, s->arena, list[i].value, &npy) ||
            !place_array(d, s, input, list[i].value, &npy.type, npy.data))
            return false;
    }
    return true;
}

/* ---- data sets ---- */

static const char *source_of(const char *input, const dg_arg_text *map, int n_map)
{
    for (int i = 0; i < n_map; i++)
        if (strcmp(map[i].name, input) == 0) return map[i].value;
    return strcmp(input, "x") == 0 ? "data" : strcmp(input, "y") == 0 ? "labels" : NULL;
}

/* The sample's shape at the end of the input's; what stands before is the batch. */
static bool split_batch(const dg_shape *input, const dg_shape *sample, int64_t *batch)
{
    if (input->rank < sample->rank) return false;
    int lead = input->rank - sample->rank;
    *batch = 1;
    for (int i = 0; i < lead; i++) *batch *= input->dim[i];
    return memcmp(input->dim + lead, sample->dim, sizeof *sample->dim * (size_t)sample->rank) == 0;
}

static bool bind_one(dg_diag *d, dg_session *s, const dg_dataset *data, int i, const char *source,
                     dg_binding *b)
{
    const dg_plan_port *p = &s->plan->inputs[i];
    const dg_type have = {p->type.dtype, data->shape};
    bool labels = strcmp(source, "labels") == 0;
    dg_shape sample = labels ? DG_SCALAR : data->shape;
    int64_t batch = 0;
    if (!labels && strcmp(source, "data") != 0)
        return dg_error_at(d, "E440", p->name, "inputs: '%s' is neither data nor labels", source) ==
               NULL;
    if (labels && !data->classes)
        return dg_error_at(d, "E440", p->name, "the entry wants labels, %s has none", data->kind) ==
               NULL;
    if (!split_batch(&p->type.shape, &sample, &batch) ||
        (!labels && p->type.shape.rank == data->shape.rank && data->shape.rank > 0)) {
        dg_message *m =
            dg_error_at(d, "E440", p->name, "the input is %s, one sample of %s is %s",
                        type_text(s->arena, &p->type), data->kind, type_text(s->arena, &have));
        dg_help_add(d, m,
                    "the input's last axes must be the sample's, those before them are the batch");
        return false;
    }
    if (labels && p->type.dtype != DG_I32)
        return dg_error_at(d, "E440", p->name, "labels are i32, the input is %s",
                           type_text(s->arena, &p->type)) == NULL;
    if (b->batch && b->batch != batch)
        return dg_error_at(d, "E440", p->name,
                           "this input takes %lld samples a run, another takes %lld",
                           (long long)batch, (long long)b->batch) == NULL;
    b->batch = batch;
    *(labels ? &b->labels : &b->data) = i;
    return true;
}

static bool named(const char *const *list, const char *name)
{
    for (int i = 0; list && list[i]; i++)
        if (strcmp(list[i], name) == 0) return true;
    return false;
}

bool dg_bind_inputs(dg_diag *d, dg_session *s, const dg_dataset *data, const dg_arg_text *map,
                    int n_map, const char *const *filled, dg_binding *out)
{
    *out = (dg_binding){.data = -1, .labels = -1};
    for (int i = 0; i < n_map; i++)
        if (dg_session_input_index(s, map[i].name) < 0) return unknown_input(d, s, map[i].name);
    for (int i = 0; i < s->plan->n_inputs; i++) {
        const char *name = s->plan->inputs[i].name, *source = source_of(name, map, n_map);
        if (named(filled, name)) continue;
        if (!source) {
            dg_message *m = dg_error_at(d, "E440", name, "nothing fills this input of entry '%s'",
                                        s->plan->entry);
            dg_help_add(d, m,
                        "inputs named x and y take data and labels; others are mapped in the run "
                        "file: inputs: {%s: data}",
                        name);
            return false;
        }
        if (!bind_one(d, s, data, i, source, out)) return false;
    }
    out->x = DG_NEW_ARRAY(s->arena, float, out->batch *dg_shape_count(&data->shape) + 1);
    out->y = DG_NEW_ARRAY(s->arena, int32_t, out->batch + 1);
    return true;
}

void dg_fill_inputs(dg_session *s, const dg_dataset *data, dg_part part, uint64_t window,
                    int64_t first, dg_binding *b)
{
    if (b->batch == 0) return;
    dg_dataset_batch(data, part, window, first, b->batch, b->x, b->labels >= 0 ? b->y : NULL);
    dg_put_inputs(s, data, b);
}

void dg_put_inputs(dg_session *s, const dg_dataset *data, const dg_binding *b)
{
    if (b->labels >= 0)
        memcpy(dg_session_input(s, b->labels), b->y, sizeof *b->y * (size_t)b->batch);
    if (b->data < 0) return;
    int64_t n = b->batch * dg_shape_count(&data->shape);
    void *to = dg_session_input(s, b->data);
    switch (s->plan->inputs[b->data].type.dtype) {
    case DG_F32:
        memcpy(to, b->x, sizeof *b->x * (size_t)n);
        break;
    case DG_F64:
        for (int64_t i = 0; i < n; i++) ((double *)to)[i] = (double)b->x[i];
        break;
    case DG_I32:
        for (int64_t i = 0; i < n; i++) ((int32_t *)to)[i] = (int32_t)b->x[i];
        break;
    default:
        for (int64_t i = 0; i < n; i++) ((uint8_t *)to)[i] = (uint8_t)b->x[i];
        break;
    }
}

void dg_inputs_random(dg_session *s, uint64_t seed)
{
    for (int i = 0; i < s->plan->n_inputs; i++) {
        const dg_type *t = &s->plan->inputs[i].type;
        float *data = dg_session_input(s, i);
        if (t->dtype != DG_F32) continue;
        dg_rng r = {.key = seed + (uint64_t)i};
        int64_t count = dg_shape_count(&t->shape);
        dg_rng_uniform(&r, 0, count, data);
        for (int64_t e = 0; e < count; e++) data[e] = 2 * data[e] - 1;
    }
}
