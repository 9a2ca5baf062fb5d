/* path.c: scopes and the names in them: labels, paths, who owns what, keys of random streams.
 *
 * In     calls of blocks and models, labels, declarations of places, draws.
 * Out    paths that name the same thing whatever else is edited; E041 where one name would stand
 *        for two.
 * Keeps  a scope is one call; what a model owns counts for the model, so a scope below it has no
 *        parent beyond. */
#include "compiler/front/lower.h"

#include <stdio.h>
#include <string.h>

dg_scope *dg_scope_new(dg_lower *L, dg_scope *parent, dg_str name, dg_span span,
                       const dg_expr *call)
{
    dg_scope *s = DG_NEW(L->arena, dg_scope);
    s->path = dg_path_join_names(L, parent->path, name);
    s->parent = parent;
    s->name = name;
    s->span = span;
    s->call = call;
    s->in = parent->in;
    return s;
}

dg_str dg_path_join_names(dg_lower *L, dg_str scope, dg_str name)
{
    if (!*scope) return name;
    size_t n = strlen(scope), m = strlen(name);
    char few[256], *at = n + m + 1 <= sizeof few ? few : dg_arena_alloc(L->arena, n + m + 1);
    memcpy(at, scope, n);
    at[n] = '.';
    memcpy(at + n + 1, name, m);
    return dg_intern(L->strings, at, n + m + 1);
}

static dg_owned *find_owned(dg_lower *L, dg_scope *s, dg_str name)
{
    enum { FEW = 16 };
    if (s->n_owned > FEW && !s->index) {
        s->index = dg_map_new(L->arena);
        for (dg_owned *o = s->owned; o; o = o->next) dg_map_set(s->index, o->name, o);
    }
    if (s->index) return dg_map_get(s->index, name);
    for (dg_owned *o = s->owned; o; o = o->next) {
        if (o->name == name) return o;
    }
    return NULL;
}

static void add_owned(dg_lower *L, dg_scope *s, dg_str name, dg_span span)
{
    dg_owned *o = DG_NEW(L->arena, dg_owned);
    *o = (dg_owned){name, span, s->owned};
    s->owned = o;
    s->n_owned++;
    if (s->index) dg_map_set(s->index, name, o);
}

static const char *scope_text(const dg_scope *s)
{
    return *s->path ? s->path : "of the entry";
}

/* linear(h, 64) -> linear@fc2(h, 64); in a `for` linear@"fc{i}"(h, 64). */
static const char *with_label(dg_lower *L, const dg_expr *call)
{
    const char *callee = dg_source_of(L, call->a->span);
    const char *all = dg_source_of(L, call->span);
    size_t n = strlen(callee);
    const char *args = strchr(all + (strncmp(all, callee, n) == 0 ? n : 0), '(');
    const dg_iter *iter = L->frame ? L->frame->iter : NULL;
    const char *stem = call->label && call->label->kind == DG_E_NAME ? call->label->text : callee;
    if (call->label && (call->label->kind != DG_E_NAME || !iter)) return NULL;
    char label[64];
    if (iter)
        snprintf(label, sizeof label, "\"%.20s{%.20s}\"", stem, iter->name);
    else
        snprintf(label, sizeof label, "%.20s2", stem);
    return dg_arena_printf(L->arena, "%s@%s%s", callee, label, args ? args : "(...)");
}

/* The frame that makes the call: the message is about it, not about what was reached inside. */
static dg_frame *maker(const dg_lower *L, const dg_expr *call)
{
    for (dg_frame *f = L->frame; call && f; f = f->caller) {
        if (f->caller && f->call.file == call->span.file && f->call.begin == call->span.begin &&
            f->call.end == call->span.end)
            return f->caller;
    }
    return L->frame;
}

static void repeated(dg_lower *L, const dg_scope *s, const dg_owned *first, const dg_expr *call,
                     dg_str name, dg_span span, const char *what)
{
    dg_message *m;
    dg_frame *frame = L->frame;
    L->frame = maker(L, call);
    if (call && call->label)
        m = dg_complain(L, "E041", span,
                        "the label `%s` is used twice in scope %s; its %ss need different names",
                        name, scope_text(s), what);
    else if (call)
        m = dg_complain(L, "E041", span,
                        "`%s` is called twice in scope %s; its %ss need different names", name,
                        scope_text(s), what);
    else
        m = dg_complain(L, "E041", span, "the name `%s` is used twice in scope %s", name,
                        scope_text(s));
    bool again = first->span.file == span.file && first->span.begin == span.begin;
    if (again)
        dg_beside_set(L->diag, m, "the same call, in another pass of a `for`");
    else
        dg_beside_set(L->diag, m, "first %s at %s", call ? "call" : "use",
                      dg_where_text(L, first->span));
    const char *help = call ? with_label(L, call) : NULL;
    if (help)
        dg_help_add(L->diag, m, "%s", help);
    else if (call)
        dg_help_add(L->diag, m, "labels may hold indices: @\"name{i}\"");
    else
        dg_help_add(L->diag, m, "give one of them another label, @name");
    L->frame = frame;
}

bool dg_scope_own(dg_lower *L, dg_scope *s, dg_str name, dg_span span, const char *what)
{
    for (const dg_scope *k = s; k; k = k->parent) {
        if (k->bad) return false;
    }
    const dg_owned *first = find_owned(L, s, name);
    if (first) {
        repeated(L, s, first, NULL, name, span, what);
        return false;
    }
    add_owned(L, s, name, span);
    for (; s->parent && !s->owns; s = s->parent) {
        s->owns = true;
        first = find_owned(L, s->parent, s->name);
        if (first) {
            s->bad = true;
            repeated(L, s->parent, first, s->call, s->name, s->span, what);
            return false;
        }
        add_owned(L, s->parent, s->name, s->span);
    }
    return true;
}

/* ---- labels ---- */

static bool good_path(const char *s)
{
    bool segment = false;
    for (; *s; s++) {
        bool fine = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                    (*s >= '0' && *s <= '9') || *s == '_' || *s == '-';
        if (*s == '.' && !segment) return false;
        if (*s != '.' && !fine) return false;
        segment = fine;
    }
    return segment;
}

dg_str dg_label(dg_lower *L, const dg_expr *label)
{
    enum { LONGEST = 1024 };
    dg_str s = label->kind == DG_E_NAME ? label->text : dg_eval_text(L, label);
    if (!s) return NULL;
    if (good_path(s) && strlen(s) <= LONGEST) return s;
    dg_text t = {0};
    dg_text_quote(&t, s, strlen(s));
    dg_message *m =
        dg_complain(L, "E042", label->span, "the label \"%s\" is not a path", t.at ? t.at : "");
    dg_text_free(&t);
    dg_help_add(L->diag, m, "a label is made of letters, digits, _ and -; dots join several");
    return NULL;
}

/* ---- streams ---- */

static void numbers(const dg_model_call *c, dg_text *out)
{
    if (!c) return;
    numbers(c->outer, out);
    dg_text_add(out, "#%s", c->number);
}

uint64_t dg_stream_key(dg_lower *L, dg_str path)
{
    dg_text t = {0};
    dg_text_add(&t, "%s", path);
    numbers(L->scope->in, &t);
    uint64_t key = dg_hash(t.at, t.n);
    dg_text_free(&t);
    return key;
}
