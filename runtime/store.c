/* store.c: the table of tensors. In: paths and types; out: places that do not move. Files are
 * checkpoint.c's business. */
#include "runtime/store.h"

#include "compiler/base/os.h"
#include "runtime/context.h"

#include <dg/dg.h>
#include <stdlib.h>
#include <string.h>

struct dg_store *dg_store_new(struct dg_context *c)
{
    struct dg_store *s = calloc(1, sizeof *s);
    if (!s) dg_out_of_memory();
    s->context = c;
    s->arena = dg_arena_new();
    s->strings = dg_strings_new(s->arena);
    s->by_path = dg_map_new(s->arena);
    return s;
}

void dg_store_free(struct dg_store *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->tensors.n; i++)
        dg_large_free(s->tensors.at[i].data, (size_t)dg_type_bytes(&s->tensors.at[i].type));
    for (size_t i = 0; i < s->files.n; i++) dg_file_close(&s->files.at[i]);
    dg_vec_free(&s->tensors);
    dg_vec_free(&s->files);
    dg_arena_free(s->arena);
    free(s);
}

static bool allocate(struct dg_store *s, dg_diag *d, dg_tensor *t)
{
    int64_t bytes = dg_type_bytes(&t->type);
    t->data = dg_large_alloc((size_t)(bytes ? bytes : 1));
    if (!t->data) {
        char text[32];
        dg_error_at(d, "E601", t->path, "no memory for this tensor of %s",
                    dg_bytes_text((uint64_t)bytes, text));
        return false;
    }
    s->bytes += bytes;
    return true;
}

/* The pages of the file are given back at once, so that the tensor is held once and not twice. */
static bool take_bytes(struct dg_store *s, dg_tensor *t)
{
    dg_diag *d = dg_context_diag(s->context, s->arena, NULL);
    if (!allocate(s, d, t)) {
        dg_context_flush(s->context, d);
        return false;
    }
    size_t bytes = (size_t)dg_type_bytes(&t->type);
    memcpy(t->data, t->source, bytes);
    dg_file_forget(&s->files.at[t->file], t->source, bytes);
    t->source = NULL;
    return true;
}

dg_tensor *dg_store_find(struct dg_store *s, const char *path)
{
    size_t i = (size_t)(uintptr_t)dg_map_get(s->by_path, dg_intern_z(s->strings, path));
    if (!i || (s->tensors.at[i - 1].source && !take_bytes(s, &s->tensors.at[i - 1]))) return NULL;
    return &s->tensors.at[i - 1];
}

static dg_tensor *add(struct dg_store *s, dg_tensor t)
{
    dg_vec_push(&s->tensors, t);
    dg_map_set(s->by_path, t.path, (void *)(uintptr_t)s->tensors.n);
    return &dg_vec_last(&s->tensors);
}

dg_tensor *dg_store_add(struct dg_store *s, dg_diag *d, const char *path, dg_type type,
                        bool trained)
{
    dg_tensor t = {.path = dg_intern_z(s->strings, path), .type = type, .trained = trained};
    return allocate(s, d, &t) ? add(s, t) : NULL;
}

void dg_store_add_lazy(struct dg_store *s, const char *path, dg_type type, bool trained,
                       const void *source)
{
    add(s, (dg_tensor){.path = dg_intern_z(s->strings, path),
                       .type = type,
                       .trained = trained,
                       .filled = true,
                       .source = source,
                       .file = (int)s->files.n - 1});
}

const void *dg_store_data(struct dg_store *s, const char *path)
{
    dg_tensor *t = dg_store_find(s, path);
    return t ? t->data : NULL;
}

int dg_store_tensors(struct dg_store *s, const dg_tensor_info **out)
{
    dg_tensor_info *list = DG_NEW_ARRAY(s->arena, dg_tensor_info, s->tensors.n + 1);
    for (size_t i = 0; i < s->tensors.n; i++)
        list[i] = dg_tensor_info_of(s->tensors.at[i].path, &s->tensors.at[i].type);
    for (size_t i = 0; i < s->tensors.n; i++) list[i].trained = s->tensors.at[i].trained;
    *out = list;
    return (int)s->tensors.n;
}
