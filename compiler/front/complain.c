/* complain.c: messages of the elaborator: the sentence, where the names in it were bound, the chain
 * of instantiation.
 *
 * In     an id, a span, a sentence; the frames as they stand.
 * Out    messages in the form of dg-language section 12; origins of nodes, which say the same in
 *        the plan. */
#include "compiler/front/lower.h"

#include <stdio.h>
#include <string.h>

const char *dg_where_text(const dg_lower *L, dg_span span)
{
    const dg_source *s = span.file >= 0 ? dg_source_at(dg_diag_sources(L->diag), span.file) : NULL;
    if (!s) return "?";
    return dg_arena_printf(L->arena, "%s:%d", s->name, dg_source_position(s, span.begin).line);
}

const char *dg_source_of(const dg_lower *L, dg_span span)
{
    enum { COLUMNS = 60 };
    const dg_source *s = span.file >= 0 ? dg_source_at(dg_diag_sources(L->diag), span.file) : NULL;
    if (!s || span.end <= span.begin || span.end > s->length) return "?";
    size_t n = span.end - span.begin < 400 ? span.end - span.begin : 400;
    char *line = dg_arena_alloc(L->arena, n + 1);
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s->text[span.begin + i];
        bool blank = c == '\n' || c == ' ' || c == '\t' || c == '\r';
        if (blank && out > 0 && line[out - 1] == ' ') continue;
        line[out++] = blank ? ' ' : c;
    }
    dg_text t = {0};
    dg_text_escape(&t, line, out, COLUMNS);
    char *text = dg_arena_text(L->arena, t.at ? t.at : "", t.n);
    dg_text_free(&t);
    return text;
}

const char *dg_tensor_text(const dg_lower *L, dg_sv v)
{
    dg_type t = *dg_graph_type(L, v);
    if (t.dtype == DG_POISON) return "a failed value";
    return dg_type_name(L->arena, &t);
}

/* ---- the chain ---- */

/* " with i = 2, j = 0", outermost index first. */
static void indices(const dg_lower *L, const dg_iter *iter, bool first, dg_text *out)
{
    enum { SHOWN = 6 };
    const dg_iter *list[SHOWN];
    int n = 0;
    for (; iter && n < SHOWN; iter = iter->outer) {
        dg_sv_kind k = (dg_sv_kind)iter->v.kind;
        if (k == DG_SV_INT || k == DG_SV_FLOAT || k == DG_SV_STR || k == DG_SV_BOOL ||
            k == DG_SV_PLACE)
            list[n++] = iter;
    }
    for (int i = n - 1; i >= 0; i--) {
        dg_text_add(out, "%s%s = ", first ? " with " : ", ", list[i]->name);
        if (list[i]->v.kind == DG_SV_PLACE)
            dg_text_add(out, "%s", list[i]->v.spot->path);
        else
            dg_sv_text(L, list[i]->v, out);
        first = false;
    }
}

static const char *named(const dg_lower *L, const char *what, const dg_iter *iter)
{
    if (!iter) return what;
    dg_text t = {0};
    dg_text_add(&t, "%s", what);
    indices(L, iter, true, &t);
    char *text = dg_arena_text(L->arena, t.at, t.n);
    dg_text_free(&t);
    return text;
}

const dg_origin *dg_frame_origin_new(dg_lower *L, dg_frame *f)
{
    dg_origin *o = DG_NEW(L->arena, dg_origin);
    o->span = f->call;
    o->what = named(L, f->what, f->iter);
    o->outer = f->outer;
    return f->origin = o;
}

static void chain(dg_lower *L, dg_message *m)
{
    if (!L->frame || !L->frame->what) return;
    enum { LINKS = 12 };
    dg_text t = {0};
    const dg_origin *o = dg_frame_origin(L, L->frame);
    dg_text_add(&t, "in %s", o->what);
    int n = 0;
    for (; o->outer && n < LINKS; o = o->outer, n++) {
        if (!o->outer->what) continue;
        dg_text_add(&t, " <- %s, %s", o->outer->what, dg_where_text(L, o->span));
    }
    if (o->outer) dg_text_add(&t, " <- ...");
    dg_note_add(L->diag, m, "%s", t.at);
    dg_text_free(&t);
}

dg_message *dg_complain(dg_lower *L, const char *id, dg_span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *what = dg_arena_vprintf(L->arena, format, args);
    va_end(args);
    dg_message *m = span.file < 0 ? dg_error_at(L->diag, id, "dg", "%s", what)
                                  : dg_error(L->diag, id, span, "%s", what);
    chain(L, m);
    return m;
}

dg_sv dg_spoil(dg_lower *L, const char *id, dg_span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *what = dg_arena_vprintf(L->arena, format, args);
    va_end(args);
    dg_complain(L, id, span, "%s", what);
    return dg_sv_poison;
}

void dg_note_before(dg_lower *L, dg_message *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = dg_arena_vprintf(L->arena, format, args);
    va_end(args);
    int before = m->n_notes;
    dg_note_add(L->diag, m, "%s", text);
    if (m->n_notes == before || before == 0 || strncmp(m->notes[before - 1].text, "in ", 3) != 0)
        return;
    dg_note last = m->notes[before]; /* the chain stays last */
    m->notes[before] = m->notes[before - 1];
    m->notes[before - 1] = last;
}

void dg_note_bound(dg_lower *L, dg_message *m, const dg_expr *e)
{
    while (e && (e->kind == DG_E_INDEX || (e->kind == DG_E_UNARY && e->a))) e = e->a;
    if (!e || e->kind != DG_E_NAME || !L->frame) return;
    const dg_binding *b = dg_binding_local(L, e->text);
    if (!b || b->target || b->span.file < 0) return;
    if (!b->iter && strcmp(dg_where_text(L, b->span), dg_where_text(L, m->span)) == 0)
        return; /* the line shown already */
    dg_text t = {0};
    indices(L, b->iter, true, &t);
    dg_note_before(L, m, "`%s` was bound at %s%s", e->text, dg_where_text(L, b->span),
                   t.at ? t.at : "");
    dg_text_free(&t);
}

/* ---- what shape rules refuse ---- */

static void beside_inputs(dg_lower *L, dg_message *m, const dg_infer *t, int a, int b)
{
    const char *x = dg_type_name(L->arena, t->in[a]);
    if (b >= 0 && b < t->n_in)
        dg_beside_set(L->diag, m, "%s and %s", x, dg_type_name(L->arena, t->in[b]));
    else
        dg_beside_set(L->diag, m, "%s", x);
}

static const dg_expr *input_expr(const dg_site *s, int i)
{
    return i >= 0 && i < s->n && i < (int)(sizeof s->in / sizeof *s->in) ? s->in[i] : NULL;
}

static const dg_actual *argument(const dg_bound *c, const char *name)
{
    if (!c || !name) return NULL;
    size_t n = strlen(name);
    const char *at = c->f->params;
    for (int k = 0; *at && k < DG_PARAMS; k++) {
        size_t length = strcspn(at, " "), bare = strcspn(at, " ?.");
        if (bare == n && memcmp(at, name, n) == 0) return c->p[k];
        at += length;
        at += strspn(at, " ");
    }
    return NULL;
}

/* Which of lead and trail makes the sizes agree. */
static void help_ranks(dg_lower *L, dg_message *m, const dg_expr *e, const dg_infer *t)
{
    int low = t->in[0]->shape.rank < t->in[1]->shape.rank ? 0 : 1;
    const dg_shape *s = &t->in[low]->shape, *big = &t->in[1 - low]->shape;
    const char *small = dg_source_of(L, low ? e->b->span : e->a->span),
               *large = dg_source_of(L, low ? e->a->span : e->b->span);
    bool trails = s->rank > 0, leads = s->rank > 0;
    for (int i = 0; i < s->rank; i++) {
        int64_t d = s->dim[i], first = big->dim[i], last = big->dim[big->rank - s->rank + i];
        leads &= d == first || d == 1 || first == 1;
        trails &= d == last || d == 1 || last == 1;
    }
    if (leads || !trails)
        dg_help_add(L->diag, m, "to align axis 0, write lead(%s, %s)", small, large);
    else
        dg_help_add(L->diag, m, "to align the last axis, write trail(%s, %s)", small, large);
}

void dg_refused(void *ctx, const dg_infer *t)
{
    dg_lower *L = ctx;
    const dg_site *s = &L->site;
    const char *name = s->name ? s->name : t->op->name;
    int a = t->input[0], b = t->input[1];
    bool binary = s->e && s->e->kind == DG_E_BINARY;
    const dg_expr *ea = input_expr(s, a), *eb = input_expr(s, b);
    const dg_actual *attr = argument(s->bound, t->attr);
    dg_span span = attr     ? attr->span
                   : binary ? s->e->op_span
                   : eb     ? eb->span
                   : ea     ? ea->span
                   : s->e   ? s->e->span
                            : L->origin_span;

    dg_message *m = dg_complain(L, t->id ? t->id : "E018", span, "%s: %s", name,
                                t->what ? t->what : "its arguments do not fit");
    if (binary) {
        dg_extra_add(m, s->e->a->span);
        dg_extra_add(m, s->e->b->span);
    } else if (eb && ea && !attr) {
        dg_extra_add(m, ea->span);
    }
    if (binary && t->n_in == 2)
        beside_inputs(L, m, t, 0, 1);
    else if (a >= 0 && a < t->n_in)
        beside_inputs(L, m, t, a, b);
    else if (t->n_in > 0 && input_expr(s, 0))
        dg_beside_set(L->diag, m, "%s is %s", dg_source_of(L, input_expr(s, 0)->span),
                      dg_type_name(L->arena, t->in[0]));
    for (int i = 0; i < 2; i++) {
        const dg_expr *e = input_expr(s, binary ? i : t->input[i]);
        if (!e && i == 0) e = input_expr(s, 0);
        if (e) dg_note_bound(L, m, e);
    }
    bool ranks = binary && t->n_in == 2 && t->id && strcmp(t->id, "E020") == 0 &&
                 t->in[0]->shape.rank != t->in[1]->shape.rank;
    if (ranks)
        help_ranks(L, m, s->e, t);
    else if (t->help)
        dg_help_add(L->diag, m, "%s", t->help);
}

void dg_pattern_refused(dg_lower *L, dg_span span, const char *name, const char *text)
{
    if (*text) dg_complain(L, "E012", span, "%s: %s", name, text);
}
