/* front.c: a main file with its imports: opened, listed, checked without an entry.
 *
 * In     a path or a text, settings from outside.
 * Out    entries, config values, documentation; messages for what is wrong before anything is
 *        elaborated. */
#include "compiler/front/lower.h"

#include <string.h>

/* Lists that have stopped growing move into the arena: a front is freed with it. */
#define SETTLE(arena, v)                                                                           \
    do {                                                                                           \
        size_t count_ = (v)->n;                                                                    \
        void *copy_ = dg_arena_copy((arena), (v)->at, count_ * sizeof *(v)->at);                   \
        dg_vec_free(v);                                                                            \
        (v)->at = copy_;                                                                           \
        (v)->n = (v)->room = count_;                                                               \
    } while (0)

/* ---- settings ---- */

static void unknown_config(dg_front *f, dg_lower *L, const dg_setting_in *in)
{
    const dg_unit *u = f->units.at[0];
    const char *best = NULL;
    int least = 3;
    for (size_t k = 0; k <= u->imports.n; k++) {
        const dg_map *names = k == 0 ? u->names : u->imports.at[k - 1]->names;
        for (size_t i = 0; i < dg_map_count(names); i++) {
            const dg_symbol *s = dg_map_value(names, i);
            if (s->d->kind != DG_C_CONFIG) continue;
            int d = dg_edit_distance(s->d->name, in->name, least);
            bool part =
                strlen(s->d->name) > 1 && strncmp(in->name, s->d->name, strlen(s->d->name)) == 0;
            if (d < least || (!best && part)) best = s->d->name, least = d < least ? d : least;
        }
    }
    const char *name = dg_source_at(dg_diag_sources(f->diag), u->file)->name;
    dg_setting_error(
        L, in, "E131",
        best ? dg_arena_printf(f->arena, "graph '%s' has no config value '%s' (did you mean '%s'?)",
                               name, in->name, best)
             : dg_arena_printf(f->arena, "graph '%s' has no config value '%s'", name, in->name));
}

bool dg_front_configure(dg_front *f, const dg_setting_in *config, int n)
{
    int before = dg_diag_errors(f->diag);
    dg_lower L;
    dg_lower_open(&L, f, f->arena);
    for (int i = 0; i < n; i++) {
        const dg_setting_in *in = &config[i];
        dg_symbol *other,
            *s = dg_symbol_find(f, f->units.at[0], dg_intern_z(f->strings, in->name), &other);
        if (!s || s->d->kind != DG_C_CONFIG) {
            unknown_config(f, &L, in);
        } else if (other) {
            dg_setting_error(&L, in, "E131",
                             dg_arena_printf(f->arena,
                                             "'%s' is a config value of two imports: %s and %s",
                                             in->name, dg_where_text(&L, s->d->name_span),
                                             dg_where_text(&L, other->d->name_span)));
        } else {
            s->override = in;
        }
    }
    dg_lower_close(&L);
    return dg_diag_errors(f->diag) == before;
}

dg_diag *dg_front_report_to(dg_front *f, dg_diag *d)
{
    dg_diag *before = f->diag;
    f->diag = d;
    return before;
}

/* ---- lists ---- */

static void list_entries(dg_front *f)
{
    for (size_t i = 0; i < f->units.n; i++) {
        const dg_unit *u = f->units.at[i];
        for (int k = 0; k < u->tree->n; k++) {
            const dg_decl *d = u->tree->decls[k];
            if (d->kind != DG_C_ENTRY && d->kind != DG_C_TRAIN && d->kind != DG_C_TEST) continue;
            dg_entry_info e = {.name = d->name,
                               .kind = d->kind == DG_C_ENTRY   ? DG_ENTRY
                                       : d->kind == DG_C_TRAIN ? DG_TRAIN
                                                               : DG_TEST,
                               .span = d->name_span,
                               .doc = d->doc,
                               .n_formals = d->n_formals,
                               .formals = d->formals,
                               .in_main = i == 0};
            dg_vec_push(&f->entries, e);
        }
    }
}

int dg_front_entries(const dg_front *f, const dg_entry_info **out)
{
    *out = f->entries.at;
    return (int)f->entries.n;
}

/* The main file's and those of its imports that it sees. */
static int list_configs(dg_front *f, dg_symbol ***out)
{
    dg_unit *u = f->units.at[0];
    DG_VEC(dg_symbol *) list = {0};
    for (size_t k = 0; k <= u->imports.n; k++) {
        const dg_map *names = k == 0 ? u->names : u->imports.at[k - 1]->names;
        for (size_t i = 0; i < dg_map_count(names); i++) {
            dg_symbol *other, *s = dg_map_value(names, i);
            if (s->d->kind == DG_C_CONFIG && dg_symbol_find(f, u, s->d->name, &other) == s &&
                !other)
                dg_vec_push(&list, s);
        }
    }
    int n = (int)list.n;
    dg_vec_seal(&list, f->arena, *out);
    return n;
}

int dg_front_config_names(dg_front *f, const dg_str **out)
{
    dg_symbol **list;
    int n = list_configs(f, &list);
    dg_str *names = DG_NEW_ARRAY(f->arena, dg_str, n);
    for (int i = 0; i < n; i++) names[i] = list[i]->d->name;
    *out = names;
    return n;
}

int dg_front_configs(dg_front *f, const dg_config_info **out)
{
    if (f->configs.n == 0) {
        dg_lower L;
        dg_lower_open(&L, f, f->arena);
        dg_symbol **list;
        int n = list_configs(f, &list);
        for (int i = 0; i < n; i++) {
            const dg_decl *d = list[i]->d;
            dg_text t = {0};
            dg_sv_text(&L, dg_symbol_value(&L, list[i], d->name_span), &t);
            const char *text = dg_arena_text(f->arena, t.at ? t.at : "", t.n);
            dg_text_free(&t);
            dg_config_info c = {.name = d->name, .text = text, .doc = d->doc, .span = d->name_span};
            dg_vec_push(&f->configs, c);
        }
        dg_lower_close(&L);
        SETTLE(f->arena, &f->configs);
    }
    *out = f->configs.at;
    return (int)f->configs.n;
}

const dg_tree *dg_front_tree(const dg_front *f)
{
    return f->units.at[0]->tree;
}

dg_str dg_front_doc(const dg_front *f)
{
    const dg_tree *t = f->units.at[0]->tree;
    return t->n > 0 && t->decls[0]->doc ? dg_intern_z(f->strings, t->decls[0]->doc) : NULL;
}

int dg_front_files(const dg_front *f, const int32_t **files)
{
    *files = f->files.at;
    return (int)f->files.n;
}

/* ---- open and check ---- */

dg_front *dg_front_open(dg_arena *a, dg_diag *d, const dg_front_options *o)
{
    int before = dg_diag_errors(d);
    dg_front *f = DG_NEW(a, dg_front);
    f->arena = a;
    f->diag = d;
    f->strings = dg_strings_new(a);
    f->o = dg_arena_copy(a, o, sizeof *o);
    f->builtins = dg_builtins_new(a, f->strings);
    f->folders = dg_map_new(a);
    bool loaded = dg_import_main(f) && dg_diag_errors(d) == before;
    if (loaded) list_entries(f);
    for (size_t i = 0; i < f->units.n; i++) SETTLE(a, &f->units.at[i]->imports);
    SETTLE(a, &f->units);
    SETTLE(a, &f->files);
    SETTLE(a, &f->entries);
    return loaded && dg_front_configure(f, f->o->config, f->o->n_config) ? f : NULL;
}

bool dg_front_check(dg_front *f, dg_arena *a)
{
    int before = dg_diag_errors(f->diag);
    dg_lower L;
    dg_lower_open(&L, f, a);
    L.graphs[0].graph = dg_graph_new(a, f->strings, NULL); /* of what failed: nothing is emitted */
    for (size_t i = 0; i < f->units.n; i++) {
        dg_unit *u = f->units.at[i];
        dg_frame frame = {.unit = u, .call = DG_NOWHERE};
        dg_frame_enter(&L, &frame);
        for (size_t k = 0; k < dg_map_count(u->names) && !L.halted; k++) {
            dg_symbol *s = dg_map_value(u->names, k);
            if (s->d->kind == DG_C_CONST || s->d->kind == DG_C_CONFIG)
                dg_symbol_value(&L, s, s->d->name_span);
        }
        dg_frame_leave(&L, &frame);
        dg_names_check(&L, u);
    }
    dg_check_static(&L);
    dg_graph_free(L.graphs[0].graph);
    dg_lower_close(&L);
    return dg_diag_errors(f->diag) == before;
}
