/* import.c: loads the main file and all that it imports, each once.
 *
 * In     a path, or a text in memory; folders of the library.
 * Out    parsed files with a table of their declarations; E061 for circles, E062 for files not
 *        found, E063 for paths that are not allowed: absolute ones, ones above the folder of the
 *        main file (or the library's), folders, devices.
 * Method an import is looked for beside the importing file, then in each library folder. A file is
 *        known by its resolved path. */
#define _XOPEN_SOURCE 700
#include "compiler/front/lower.h"

#include "compiler/base/os.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 16 << 20, IMPORTS_LIMIT = 1000, IMPORT_DEPTH = 100 };

static const char *resolved(dg_arena *a, const char *path)
{
    char *real = realpath(path, NULL);
    if (!real) return NULL;
    const char *copy = dg_arena_text(a, real, strlen(real));
    free(real);
    return copy;
}

/* A file's path, of which only the last part is asked for when its folder is known. */
static const char *resolved_file(dg_front *f, const char *path)
{
    const char *base = dg_path_base(path);
    if (base[0] == '.' || base[0] == '\0') return resolved(f->arena, path); /* "..", "nets/" */
    dg_str folder = dg_intern_z(f->strings, dg_path_folder(f->arena, path));
    const char *real = dg_map_get(f->folders, folder);
    if (!real) real = resolved(f->arena, folder);
    if (!real) return NULL;
    dg_map_set(f->folders, folder, (void *)real);
    const char *file = dg_path_join(f->arena, real, base);
    char target;
    return readlink(file, &target, sizeof target) < 0 ? file : resolved(f->arena, file);
}

static bool below(const char *path, const char *root)
{
    size_t n = strlen(root);
    if (strcmp(root, "/") == 0) return true;
    return strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* For messages and plans: the main file as it was given, its imports beside it likewise; files
 * of the library, and all files when the main one was given by an absolute path, relative to
 * their root, so that no plan holds a path of this machine. */
static const char *shown_name(dg_front *f, const dg_unit *u)
{
    if (!below(u->real, u->root) || strlen(u->real) <= strlen(u->root) + 1)
        return dg_path_base(u->path);
    const char *relative = u->real + strlen(u->root) + (strcmp(u->root, "/") != 0);
    const char *given = f->o->path ? f->o->path : "";
    const dg_unit *first = f->units.n > 0 ? f->units.at[0] : u;
    if (given[0] == '/' || !strchr(given, '/') || strcmp(first->root, u->root) != 0)
        return relative;
    return u == first ? given : dg_path_join(f->arena, first->folder, relative);
}

/* ---- declarations of one file ---- */

static bool declares(const dg_decl *d)
{
    return d->kind != DG_C_IMPORT && d->kind != DG_C_TEST && d->kind != DG_C_ASSERT;
}

static void check_formals(dg_front *f, const dg_decl *d)
{
    for (int i = 1; i < d->n_formals; i++) {
        for (int k = 0; k < i; k++) {
            if (d->formals[k].name != d->formals[i].name) continue;
            dg_error(f->diag, "E009", d->formals[i].span, "`%s` has two arguments `%s`", d->name,
                     d->formals[i].name);
            return;
        }
    }
}

static void tabulate(dg_front *f, dg_unit *u)
{
    u->names = dg_map_new(f->arena);
    u->visible = dg_map_new(f->arena);
    for (int i = 0; i < u->tree->n; i++) {
        const dg_decl *d = u->tree->decls[i];
        if (!declares(d)) continue;
        check_formals(f, d);
        dg_symbol *first = dg_map_get(u->names, d->name);
        if (first) {
            dg_message *m =
                dg_error(f->diag, "E009", d->name_span, "`%s` is declared twice", d->name);
            dg_position p = dg_source_position(dg_source_at(dg_diag_sources(f->diag), u->file),
                                               first->d->name_span.begin);
            dg_note_add(f->diag, m, "first at line %d", p.line);
            continue;
        }
        if (dg_map_has(f->builtins, d->name))
            dg_warning(f->diag, "W001", d->name_span,
                       "`%s` hides the built-in function of that name", d->name);
        dg_symbol *s = DG_NEW(f->arena, dg_symbol);
        s->d = d;
        s->unit = u;
        dg_map_set(u->names, d->name, s);
    }
}

static bool load_imports(dg_front *f, dg_unit *u, int depth);

static bool parse_unit(dg_front *f, dg_unit *u, const char *text, size_t length, int depth)
{
    u->file = dg_sources_add(dg_diag_sources(f->diag), shown_name(f, u), u->path, text, length);
    dg_vec_push(&f->units, u);
    dg_vec_push(&f->files, u->file);
    u->tree = dg_parse(f->arena, f->strings, f->diag, u->file);
    tabulate(f, u);
    u->busy = true;
    bool good = load_imports(f, u, depth) && u->tree->ok;
    u->busy = false;
    return good;
}

/* ---- finding ---- */

typedef struct found {
    const char *path, *root, *real;
    enum { MISSING, FINE, OUTSIDE, NOT_A_FILE } state;
} found;

static found try_folder(dg_front *f, const char *folder, const char *root, const char *name)
{
    found r = {.path = dg_path_join(f->arena, folder, name), .root = root};
    struct stat st;
    if (stat(r.path, &st) != 0) return r;
    r.real = resolved_file(f, r.path);
    if (!r.real) return r;
    r.state = !below(r.real, root) ? OUTSIDE : S_ISREG(st.st_mode) ? FINE : NOT_A_FILE;
    return r;
}

/* Of a folder of the library, resolved for the first file that is looked for there. */
static const char *lib_root(dg_front *f, int i)
{
    if (!f->lib_roots) {
        int n = 0;
        while (f->o->lib[n]) n++;
        f->lib_roots = DG_NEW_ARRAY(f->arena, const char *, n);
    }
    if (!f->lib_roots[i]) f->lib_roots[i] = resolved(f->arena, f->o->lib[i]);
    return f->lib_roots[i];
}

static found find_import(dg_front *f, const dg_unit *u, const char *name)
{
    found r = try_folder(f, u->folder, u->root, name);
    for (int i = 0; r.state == MISSING && f->o->lib && f->o->lib[i]; i++) {
        const char *root = lib_root(f, i);
        if (root) r = try_folder(f, root, root, name);
    }
    return r;
}

/* The closest name among the files beside the place where the import would be. */
static const char *close_name(dg_front *f, const dg_unit *u, const char *name)
{
    const char *best = NULL;
    int distance = 4;
    const char *sub = dg_path_folder(f->arena, name), *base = dg_path_base(name);
    for (int i = -1; i < 0 || (f->o->lib && f->o->lib[i]); i++) {
        const char *folder = i < 0 ? u->folder : f->o->lib[i];
        if (strcmp(sub, ".") != 0) folder = dg_path_join(f->arena, folder, sub);
        char **names;
        size_t n;
        if (!dg_path_is_folder(folder)) continue;
        size_t mark = dg_diag_mark(f->diag);
        if (!dg_folder_list(f->diag, f->arena, folder, &names, &n)) {
            dg_diag_rewind(f->diag, mark);
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            int d = dg_edit_distance(names[k], base, distance - 1);
            if (d == 0 || d >= distance) continue;
            distance = d;
            best = strcmp(sub, ".") == 0 ? names[k] : dg_path_join(f->arena, sub, names[k]);
        }
    }
    return best;
}

static const char *quoted(dg_front *f, const char *text)
{
    dg_text t = {0};
    dg_text_quote(&t, text, strlen(text));
    char *copy = dg_arena_text(f->arena, t.at ? t.at : "", t.n);
    dg_text_free(&t);
    return copy;
}

static bool not_found(dg_front *f, const dg_unit *u, const dg_decl *d)
{
    const char *close = close_name(f, u, d->name);
    dg_message *m =
        dg_error(f->diag, "E062", d->name_span, "the file %s is not found", quoted(f, d->name));
    dg_note_add(f->diag, m, "looked beside %s%s", dg_path_base(u->path),
                f->o->lib && f->o->lib[0] ? ", then in" : "");
    for (int i = 0; f->o->lib && f->o->lib[i] && i < 6; i++)
        dg_note_add(f->diag, m, "  %s", f->o->lib[i]);
    if (close) dg_help_add(f->diag, m, "did you mean \"%s\"?", close);
    return false;
}

static bool circle(dg_front *f, const dg_unit *u, const dg_unit *again, const dg_decl *d)
{
    dg_text t = {0};
    bool on = false;
    for (size_t i = 0; i < f->units.n; i++) {
        const dg_unit *k = f->units.at[i];
        on |= k == again;
        if (on && k->busy)
            dg_text_add(&t, "%s -> ", dg_source_at(dg_diag_sources(f->diag), k->file)->name);
    }
    dg_text_add(&t, "%s", dg_source_at(dg_diag_sources(f->diag), again->file)->name);
    dg_message *m = dg_error(f->diag, "E061", d->name_span, "import cycle: %s", t.at);
    dg_help_add(f->diag, m,
                again == u ? "a file sees its own names without an import"
                           : "put what both need into a third file");
    dg_text_free(&t);
    return false;
}

static bool import_one(dg_front *f, dg_unit *u, const dg_decl *d, int depth)
{
    const char *name = d->name;
    if (name[0] == '/' || name[0] == '\0') {
        dg_error(
            f->diag, "E063", d->name_span,
            name[0]
                ? "an import is a path relative to this file or to the library, not an absolute one"
                : "an import needs a file name");
        return false;
    }
    found at = find_import(f, u, name);
    switch (at.state) {
    case MISSING:
        return not_found(f, u, d);
    case OUTSIDE: {
        dg_message *m = dg_error(f->diag, "E063", d->name_span,
                                 "%s lies above the folder of the main file", quoted(f, name));
        dg_help_add(
            f->diag, m,
            "files are imported from below that folder, or from a folder of --lib or DG_PATH");
        return false;
    }
    case NOT_A_FILE:
        dg_error(f->diag, "E063", d->name_span, "%s is a folder or a device, not a file",
                 quoted(f, name));
        return false;
    case FINE:
        break;
    }
    for (size_t i = 0; i < f->units.n; i++) {
        dg_unit *k = f->units.at[i];
        if (strcmp(k->real, at.real) != 0) continue;
        if (k->busy) return circle(f, u, k, d);
        dg_vec_push(&u->imports, k);
        return true;
    }
    if (f->units.n >= IMPORTS_LIMIT || depth >= IMPORT_DEPTH) {
        dg_error(f->diag, "E063", d->name_span, "more than %d files, or %d deep", IMPORTS_LIMIT,
                 IMPORT_DEPTH);
        return false;
    }
    dg_unit *k = DG_NEW(f->arena, dg_unit);
    k->path = at.path;
    k->real = at.real;
    k->root = at.root;
    k->folder = dg_path_folder(f->arena, at.path);
    dg_file file;
    if (!dg_file_read(f->diag, at.path, FILE_LIMIT, &file)) return false;
    bool good = parse_unit(f, k, dg_arena_text(f->arena, (const char *)file.bytes, file.length),
                           file.length, depth + 1);
    dg_file_close(&file);
    dg_vec_push(&u->imports, k);
    return good;
}

static bool load_imports(dg_front *f, dg_unit *u, int depth)
{
    bool good = true;
    for (int i = 0; i < u->tree->n; i++) {
        if (u->tree->decls[i]->kind == DG_C_IMPORT)
            good &= import_one(f, u, u->tree->decls[i], depth);
    }
    return good;
}

bool dg_import_main(dg_front *f)
{
    dg_unit *u = DG_NEW(f->arena, dg_unit);
    const char *path = f->o->path ? f->o->path : "model.dg";
    u->path = path;
    u->folder = dg_path_folder(f->arena, path);
    const char *root = resolved(f->arena, u->folder);
    u->root = root ? root : u->folder;
    if (f->o->text) {
        u->real = dg_path_join(f->arena, u->root, dg_path_base(path));
        return parse_unit(f, u, f->o->text, f->o->length, 0);
    }
    dg_file file;
    if (!dg_file_read(f->diag, path, FILE_LIMIT, &file)) return false;
    const char *real = resolved(f->arena, path);
    u->real = real ? real : path;
    u->root = resolved(f->arena, dg_path_folder(f->arena, path));
    if (!u->root) u->root = u->folder;
    bool good = parse_unit(f, u, dg_arena_text(f->arena, (const char *)file.bytes, file.length),
                           file.length, 0);
    dg_file_close(&file);
    return good;
}
