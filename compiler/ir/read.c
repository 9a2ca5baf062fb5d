/* read.c: the text of print.c read back into a module.
 *
 * In     text, and the registry of ops.
 * Out    a module with the same graph under ids in order of the text, or E070 at the first place
 * that does not fit. Keeps  types, kernels and strips are taken from the text as they stand: a dump
 * after any pass reads back. The lines behind
 *        `#` become spans of empty source texts with those names, so that they print alike. */
#include "compiler/ir/print.h"

#include <string.h>

typedef struct reader {
    dg_arena *arena;
    dg_diag *diag;
    const char *name, *at, *end, *text;
    int32_t file; /* in the diag's sources, -1 without */
    bool failed;
    dg_module *m;
    dg_graph *g;
    dg_map64 *values; /* number in the text -> id */
    const dg_op *(*find)(const char *name);
    DG_VEC(dg_str) files; /* named behind #, with the last line of each */
    DG_VEC(int) last_line;
    DG_VEC(dg_span *) spans; /* to be set when the files are known: file = index, begin = line */
} reader;

/* ---- tokens ---- */

static bool fail(reader *r, const char *what)
{
    if (r->failed) return false;
    r->failed = true;
    uint32_t offset = (uint32_t)(r->at - r->text);
    if (r->file >= 0)
        dg_error(r->diag, "E070", (dg_span){r->file, offset, offset + 1}, "a dump of IR: %s", what);
    else
        dg_error_at(r->diag, "E070", dg_arena_printf(r->arena, "%s@%u", r->name, offset),
                    "a dump of IR: %s", what);
    return false;
}

static void skip(reader *r, bool lines)
{
    while (r->at < r->end) {
        char c = *r->at;
        if (c == ' ' || c == '\t' || c == '\r' || (lines && c == '\n'))
            r->at++;
        else if (lines && c == '#')
            while (r->at < r->end && *r->at != '\n') r->at++;
        else
            break;
    }
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The next thing is exactly `what`: consumed; else nothing is, not even the space before. Words
 * must end there. */
static bool take_from(reader *r, const char *what, bool lines)
{
    const char *from = r->at;
    skip(r, lines);
    size_t n = strlen(what);
    bool here = (size_t)(r->end - r->at) >= n && memcmp(r->at, what, n) == 0 &&
                !(is_name(what[n - 1]) && r->at + n < r->end && is_name(r->at[n]));
    r->at = here ? r->at + n : from;
    return here;
}

static bool take(reader *r, const char *what)
{
    return take_from(r, what, true);
}

static bool take_on_line(reader *r, const char *what)
{
    return take_from(r, what, false);
}

static bool want(reader *r, const char *what)
{
    return take(r, what) || fail(r, dg_arena_printf(r->arena, "expected `%s`", what));
}

static dg_str name(reader *r)
{
    skip(r, true);
    const char *from = r->at;
    while (r->at < r->end && is_name(*r->at)) r->at++;
    if (r->at == from) fail(r, "expected a name");
    return dg_intern(r->m->strings, from, (size_t)(r->at - from));
}

static bool number(reader *r, int64_t *out)
{
    skip(r, true);
    const char *from = r->at, *at = from;
    if (at < r->end && *at == '-') at++;
    while (at < r->end && *at >= '0' && *at <= '9') at++;
    if (!dg_parse_int(from, (size_t)(at - from), out)) return fail(r, "expected an integer");
    r->at = at;
    return true;
}

static bool real(reader *r, double *out)
{
    skip(r, true);
    bool minus = take(r, "-");
    if (take(r, "inf"))
        *out = minus ? -__builtin_inf() : __builtin_inf();
    else if (take(r, "nan"))
        *out = __builtin_nan("");
    else {
        const char *from = r->at, *at = from;
        while (at < r->end &&
               (is_name(*at) || *at == '.' || ((*at == '-' || *at == '+') && at[-1] == 'e')))
            at++;
        double x;
        if (!dg_parse_double(from, (size_t)(at - from), &x)) return fail(r, "expected a number");
        *out = minus ? -x : x;
        r->at = at;
    }
    return true;
}

static dg_str string(reader *r)
{
    dg_text t = {0};
    if (!want(r, "\"")) return dg_intern_z(r->m->strings, "");
    while (r->at < r->end && *r->at != '"' && *r->at != '\n') {
        char c = *r->at++;
        if (c == '\\' && r->at < r->end) {
            c = *r->at++;
            if (c == 'x' && r->end - r->at >= 2) {
                const char digits[] = "0123456789abcdef";
                const char *high = strchr(digits, r->at[0]), *low = strchr(digits, r->at[1]);
                c = high && low ? (char)((high - digits) * 16 + (low - digits)) : '?';
                r->at += 2;
            }
        }
        dg_text_addn(&t, &c, 1);
    }
    if (r->at >= r->end || *r->at != '"')
        fail(r, "a text that does not end");
    else
        r->at++;
    dg_str s = dg_intern(r->m->strings, t.at ? t.at : "", t.n);
    dg_text_free(&t);
    return s;
}

static bool dtype(reader *r, dg_dtype *out)
{
    for (int t = 0; t < DG_DTYPES; t++) {
        if (take(r, dg_dtype_name((dg_dtype)t))) {
            *out = (dg_dtype)t;
            return true;
        }
    }
    return fail(r, "expected a dtype");
}

static bool shape(reader *r, dg_shape *out)
{
    *out = DG_SCALAR;
    if (!want(r, "[")) return false;
    if (take(r, "]")) return true;
    do {
        if (out->rank == DG_MAX_RANK) return fail(r, "more axes than there can be");
        if (!number(r, &out->dim[out->rank++])) return false;
    } while (take(r, ","));
    return want(r, "]");
}

static bool type(reader *r, dg_type *out)
{
    *out = (dg_type){0};
    if (!dtype(r, &out->dtype)) return false;
    if (r->at < r->end && *r->at == '[' && !shape(r, &out->shape)) return false;
    return dg_shape_fits(&out->shape, out->dtype) || fail(r, "a shape that is too large");
}

/* ---- comments ---- */

static bool more_words(reader *r)
{
    skip(r, false);
    return r->at < r->end && *r->at != '\n' && *r->at != '|';
}

static dg_str comment_word(reader *r)
{
    if (*r->at == '"') return string(r);
    const char *from = r->at;
    while (r->at < r->end && !strchr(" \t\r\n|\"", *r->at)) r->at++;
    return dg_intern(r->m->strings, from, (size_t)(r->at - from));
}

/* `unet.dg:32`, the name perhaps in quotes. The span is completed when the whole text is read. */
static void comment_line(reader *r, dg_span *span)
{
    dg_str w = comment_word(r);
    const char *colon = strrchr(w, ':');
    int64_t line = 0;
    size_t n = strlen(w);
    if (r->at < r->end && *r->at == ':') colon = NULL;
    if (colon && dg_parse_int(colon + 1, strlen(colon + 1), &line))
        n = (size_t)(colon - w);
    else if (!take(r, ":") || !number(r, &line))
        return;
    if (line < 1 || line > 1 << 24) return;
    dg_str file = dg_intern(r->m->strings, w, n);
    size_t k = 0;
    while (k < r->files.n && r->files.at[k] != file) k++;
    if (k == r->files.n) {
        dg_vec_push(&r->files, file);
        dg_vec_push(&r->last_line, 1);
    }
    if (line > r->last_line.at[k]) r->last_line.at[k] = (int)line;
    *span = (dg_span){(int32_t)k, (uint32_t)line, 0};
    dg_vec_push(&r->spans, span);
}

static dg_origin *new_origin(reader *r)
{
    dg_origin *o = DG_NEW(r->arena, dg_origin);
    o->span = DG_NOWHERE;
    return o;
}

static void node_comment(reader *r, dg_node n)
{
    if (!take_on_line(r, "#")) return;
    dg_graph *g = r->g;
    const dg_node_info *i = dg_node_of(g, n);
    if (i->n_out > 0) {
        int made = i->n_out, args = i->body == DG_NONE ? 0 : (int)dg_region_of(g, i->body)->args.n;
        for (int k = 0; k < made + args && more_words(r); k++) {
            dg_value v = k < made ? i->out[k] : dg_region_of(g, i->body)->args.at[k - made];
            dg_value_of(g, v)->path = dg_path_of_text(g, comment_word(r));
        }
        if (!take_on_line(r, "|")) return;
    }
    if (more_words(r)) dg_node_of(g, n)->scope = comment_word(r);
    skip(r, false);
    if (r->at < r->end && *r->at == '|') {
        r->at++;
        dg_origin *o = new_origin(r);
        if (more_words(r)) comment_line(r, &o->span);
        dg_node_of(g, n)->origin = o;
    }
    skip(r, false);
}

static void line_comment(reader *r, dg_span *span)
{
    *span = DG_NOWHERE;
    if (take_on_line(r, "#") && more_words(r)) comment_line(r, span);
}

/* One empty text per file named, with as many lines as needed. */
static void place_spans(reader *r)
{
    dg_sources *s = dg_diag_sources(r->diag);
    int32_t first = s ? dg_sources_count(s) : 0;
    for (size_t k = 0; s && k < r->files.n; k++) {
        size_t lines = (size_t)r->last_line.at[k];
        char *text = dg_arena_alloc(r->arena, lines);
        memset(text, '\n', lines);
        dg_sources_add(s, r->files.at[k], NULL, text, lines);
    }
    for (size_t k = 0; k < r->spans.n; k++) {
        dg_span *span = r->spans.at[k];
        *span = s ? (dg_span){first + span->file, span->begin - 1, span->begin - 1} : DG_NOWHERE;
    }
}

/* ---- attributes ---- */

static bool data(reader *r, dg_attr *a)
{
    dg_text bytes = {0};
    bool whole = true;
    const char *from = r->at;
    for (int pass = 0; pass < 2;
         pass++) { /* ints as long as every element is one; else everything again as doubles */
        r->at = from;
        bytes.n = 0;
        if (!want(r, "[")) break;
        do {
            double x;
            skip(r, true);
            const char *start = r->at;
            if (!real(r, &x)) break;
            if (memchr(start, '.', (size_t)(r->at - start)) ||
                memchr(start, 'e', (size_t)(r->at - start)) ||
                memchr(start, 'n', (size_t)(r->at - start)))
                whole = false;
            int32_t i = whole ? (int32_t)x : 0;
            if (whole)
                dg_text_addn(&bytes, (const char *)&i, sizeof i);
            else
                dg_text_addn(&bytes, (const char *)&x, sizeof x);
        } while (take(r, ","));
        if (r->failed || !want(r, "]")) break;
        if (whole || pass == 1) break;
    }
    a->n = (int)bytes.n;
    a->v.data = dg_arena_copy(r->arena, bytes.at, bytes.n);
    dg_text_free(&bytes);
    return !r->failed;
}

static bool attr_value(reader *r, dg_attr *a)
{
    switch (a->kind) {
    case DG_INT:
        if (dg_attr_is_dtype(a->name)) {
            dg_dtype t = DG_F32;
            bool good = dtype(r, &t);
            a->v.i = t;
            return good;
        }
        return number(r, &a->v.i);
    case DG_FLOAT:
        return real(r, &a->v.f);
    case DG_STR:
        a->v.str = string(r);
        return !r->failed;
    case DG_DATA:
        return data(r, a);
    case DG_INTS:
    case DG_FLOATS:
        break;
    }
    dg_text bytes = {0};
    if (!want(r, "[")) return false;
    if (!take(r, "]")) {
        do {
            int64_t i = 0;
            double f = 0;
            if (a->kind == DG_INTS ? !number(r, &i) : !real(r, &f)) break;
            dg_text_addn(&bytes, a->kind == DG_INTS ? (const char *)&i : (const char *)&f, 8);
        } while (take(r, ","));
        if (!r->failed) want(r, "]");
    }
    a->n = (int)(bytes.n / 8);
    const void *list = dg_arena_copy(r->arena, bytes.at, bytes.n);
    dg_text_free(&bytes);
    if (a->kind == DG_INTS)
        a->v.ints = list;
    else
        a->v.floats = list;
    return !r->failed;
}

/* Written or fallen back on, in the order of the op's table. */
static bool attrs(reader *r, const dg_op *op, dg_attrs *out)
{
    int n_specs = 0;
    while (op->attrs && op->attrs[n_specs].name) n_specs++;
    dg_attr *found = DG_NEW_ARRAY(r->arena, dg_attr, n_specs),
            *at = DG_NEW_ARRAY(r->arena, dg_attr, n_specs);
    *out = (dg_attrs){0, at};
    if (take(r, "{")) {
        do {
            dg_str word = name(r);
            int k = 0;
            while (k < n_specs && strcmp(op->attrs[k].name, word) != 0) k++;
            if (k == n_specs)
                return fail(r,
                            dg_arena_printf(r->arena, "%s has no attribute `%s`", op->name, word));
            found[k] = (dg_attr){.name = op->attrs[k].name, .kind = op->attrs[k].kind};
            if (!want(r, "=") || !attr_value(r, &found[k])) return false;
        } while (take(r, ","));
        if (!want(r, "}")) return false;
    }
    for (int k = 0; k < n_specs; k++) {
        const dg_attr_spec *spec = &op->attrs[k];
        if (found[k].name)
            at[out->n++] = found[k];
        else if (spec->required)
            return fail(r, dg_arena_printf(r->arena, "%s lacks `%s`", op->name, spec->name));
        else if (spec->kind == DG_INT)
            at[out->n++] = dg_attr_of_int(spec->name, (int64_t)spec->fallback);
        else if (spec->kind == DG_FLOAT)
            at[out->n++] = dg_attr_of_float(spec->name, spec->fallback);
    }
    return true;
}

/* ---- strips ---- */

static bool strip(reader *r, const dg_strip **out)
{
    dg_strip *s = DG_NEW(r->arena, dg_strip);
    DG_VEC(dg_dtype) reg = {0};
    DG_VEC(dg_strip_code) code = {0};
    DG_VEC(dg_strip_out) outs = {0};
    bool good = shape(r, &s->space) && want(r, "(");
    if (good && !take(r, ")")) {
        do {
            dg_dtype t = DG_F32;
            good = dtype(r, &t);
            dg_vec_push(&reg, t);
        } while (good && take(r, ","));
        good = good && want(r, ")");
    }
    s->n_in = (int)reg.n;
    s->in_dtype = dg_arena_copy(r->arena, reg.at, reg.n * sizeof *reg.at);
    good = good && want(r, "{");
    while (good && !take(r, "out")) {
        dg_strip_code c = {.in = {-1, -1, -1}};
        dg_dtype in[3] = {DG_F32, DG_F32, DG_F32};
        int64_t k;
        good = want(r, "$") && number(r, &k) && want(r, ":") && dtype(r, &c.dtype) && want(r, "=");
        dg_str op = good ? name(r) : "";
        c.op = r->find(op);
        if (good && !c.op) good = fail(r, dg_arena_printf(r->arena, "there is no op `%s`", op));
        good = good && want(r, "(");
        do {
            good = good && want(r, "$") && number(r, &k);
            if (good && (k < 0 || k >= (int64_t)reg.n || c.n_in == 3))
                good = fail(r, "no such register");
            if (good) in[c.n_in] = reg.at[k], c.in[c.n_in++] = (int)k;
        } while (good && take(r, ","));
        good = good && want(r, ")") && attrs(r, c.op, &c.attrs) && want(r, ";");
        if (!good) break;
        c.lanes = dg_lanes_find(c.op, c.dtype, in, c.n_in);
        if (!c.lanes) good = fail(r, "no lanes for these dtypes");
        dg_vec_push(&code, c);
        dg_vec_push(&reg, c.dtype);
    }
    do {
        int64_t k = 0, axes = 0, span = 0;
        good = good && want(r, "$") && number(r, &k);
        if (good && take(r, "sum")) good = number(r, &axes);
        if (good && take(r, "moments")) good = number(r, &span);
        if (good && (k < 0 || k >= (int64_t)reg.n || axes < 0 || axes > s->space.rank || span < 0))
            good = fail(r, "no such register");
        dg_vec_push(&outs, (dg_strip_out){(int)k, (int)axes, span});
    } while (good && take(r, ","));
    good = good && want(r, "}");
    s->n_code = (int)code.n;
    s->code = dg_arena_copy(r->arena, code.at, code.n * sizeof *code.at);
    s->n_out = (int)outs.n;
    s->out = dg_arena_copy(r->arena, outs.at, outs.n * sizeof *outs.at);
    dg_vec_free(&reg);
    dg_vec_free(&code);
    dg_vec_free(&outs);
    *out = s;
    return good;
}

/* ---- nodes ---- */

static bool value(reader *r, dg_value *out)
{
    int64_t k;
    uint64_t id;
    if (!want(r, "%") || !number(r, &k)) return false;
    if (!dg_map64_get(r->values, (uint64_t)k, &id))
        return fail(r, dg_arena_printf(r->arena, "%%%lld is not made yet", (long long)k));
    *out = (dg_value)id;
    return true;
}

typedef struct fresh { /* `%7: f32[2]`: a number and its type */
    int64_t number;
    dg_type type;
} fresh;

static bool fresh_value(reader *r, fresh *out)
{
    return want(r, "%") && number(r, &out->number) && want(r, ":") && type(r, &out->type);
}

static bool name_value(reader *r, int64_t number, dg_value v)
{
    uint64_t id;
    if (dg_map64_get(r->values, (uint64_t)number, &id))
        return fail(r, dg_arena_printf(r->arena, "%%%lld is made twice", (long long)number));
    dg_map64_set(r->values, (uint64_t)number, (uint64_t)v);
    return true;
}

static bool nodes(reader *r, dg_region region, const char *end);

static bool body(reader *r, dg_node n)
{
    dg_region region = dg_graph_add_region(r->g, n);
    dg_str none = dg_intern_z(r->m->strings, "");
    do {
        fresh f;
        if (!fresh_value(r, &f) ||
            !name_value(r, f.number, dg_graph_add_arg(r->g, region, f.type, none)))
            return false;
    } while (take(r, ","));
    if (!want(r, ")") || !want(r, "{")) return false;
    node_comment(r, n);
    if (!nodes(r, region, "yield")) return false;
    skip(r, false);
    if (r->at < r->end && *r->at == '%') {
        do {
            dg_value v;
            if (!value(r, &v)) return false;
            dg_vec_push(&dg_region_of(r->g, region)->results, v);
        } while (take(r, ","));
    }
    return want(r, "}");
}

/* `prologue 0 parts 2 grow 2 strip ...` */
static bool prologue(reader *r, dg_node_info *i)
{
    int64_t operand, parts = 1, grow = 1;
    dg_prologue p = {0};
    if (!number(r, &operand)) return false;
    if (operand < 0 || operand >= i->n_in) return fail(r, "a prologue of no operand");
    if (take_on_line(r, "parts") && !number(r, &parts)) return false;
    if (take_on_line(r, "grow") && !number(r, &grow)) return false;
    if (parts < 1 || parts > i->n_in || grow < 1 || grow > 1 << 20)
        return fail(r, "a prologue of no source");
    if (take_on_line(r, "strip") && !strip(r, &p.strip)) return false;
    p.operand = (int)operand;
    p.parts = (int)parts;
    p.grow = (int)grow;
    p.shape = dg_type_of(r->g, i->in[operand])->shape;
    for (int k = i->n_in - p.parts + 1; k < i->n_in; k++)
        p.shape.dim[1] += dg_type_of(r->g, i->in[k])->shape.dim[1];
    for (int a = 2; a < p.shape.rank; a++) p.shape.dim[a] *= p.grow;
    i->prologue = dg_arena_copy(r->arena, &p, sizeof p);
    return true;
}

static bool tail(reader *r, dg_node n)
{
    int64_t k;
    dg_node_info *i = dg_node_of(r->g, n);
    if (take_on_line(r, "strip") && !strip(r, &i->strip)) return false;
    if (take_on_line(r, "prologue") && !prologue(r, i)) return false;
    if (take_on_line(r, "own")) {
        if (!number(r, &k)) return false;
        if (k < 0 || k > i->n_in) return fail(r, "more own inputs than inputs");
        i->n_own = (int)k;
    }
    if (take_on_line(r, "kernel")) {
        dg_str word = name(r);
        for (const dg_kernel *kernel = i->op->kernels; kernel && kernel->name && !i->kernel;
             kernel++) {
            if (strcmp(kernel->name, word) == 0) i->kernel = kernel;
        }
        if (!i->kernel)
            return fail(r, dg_arena_printf(r->arena, "%s has no kernel `%s`", i->op->name, word));
    }
    if (take_on_line(r, "backward"))
        i->phase = DG_BACKWARD;
    else if (take_on_line(r, "update"))
        i->phase = DG_UPDATE;
    if (take_on_line(r, "remat")) {
        if (!number(r, &k)) return false;
        i->remat = (int)k;
    }
    skip(r, false);
    if (r->at < r->end && *r->at == '(') {
        r->at++;
        return body(r, n);
    }
    node_comment(r, n);
    return !r->failed;
}

static bool node(reader *r, dg_region region)
{
    DG_VEC(fresh) outs = {0};
    DG_VEC(dg_value) ins = {0};
    DG_VEC(dg_type) types = {0};
    bool good = true;
    skip(r, true);
    if (r->at < r->end && *r->at == '%') {
        do {
            fresh f;
            good = fresh_value(r, &f);
            dg_vec_push(&outs, f);
            dg_vec_push(&types, f.type);
        } while (good && take(r, ","));
        good = good && want(r, "=");
    }
    dg_str word = good ? name(r) : "";
    const dg_op *op = r->failed ? NULL : r->find(word);
    if (!r->failed && !op) fail(r, dg_arena_printf(r->arena, "there is no op `%s`", word));
    good = !r->failed;
    if (good && take(r, "(") && !take(r, ")")) {
        do {
            dg_value v = 0;
            good = value(r, &v);
            dg_vec_push(&ins, v);
        } while (good && take(r, ","));
        good = good && want(r, ")");
    }
    dg_attrs list;
    good = good && attrs(r, op, &list);
    if (good) {
        dg_node n = dg_graph_add(r->g, region, DG_NONE, op, list, ins.at, (int)ins.n, types.at,
                                 (int)types.n);
        for (size_t k = 0; good && k < outs.n; k++)
            good = name_value(r, outs.at[k].number, dg_node_of(r->g, n)->out[k]);
        good = good && tail(r, n);
    }
    dg_vec_free(&outs);
    dg_vec_free(&ins);
    dg_vec_free(&types);
    return good;
}

static bool nodes(reader *r, dg_region region, const char *end)
{
    while (!take(r, end)) {
        if (!node(r, region)) return false;
    }
    return true;
}

static bool graph(reader *r, dg_graph **out)
{
    *out = r->g = dg_graph_new(r->arena, r->m->strings, r->find);
    r->values = dg_map64_new(r->arena);
    return want(r, "{") && nodes(r, 0, "}");
}

/* ---- the header ---- */

static bool at_index(reader *r, size_t expected)
{
    int64_t k;
    if (!want(r, "@") || !number(r, &k)) return false;
    return k == (int64_t)expected || fail(r, "tables are numbered from 0 without gaps");
}

static bool place(reader *r)
{
    dg_place p = {0};
    if (!at_index(r, r->m->places.n)) return false;
    p.trained = take(r, "param");
    if (!p.trained && !want(r, "state")) return false;
    if (!type(r, &p.type)) return false;
    p.path = string(r);
    if (take_on_line(r, "init")) p.init = string(r);
    if (take_on_line(r, "swap")) p.swap = string(r);
    dg_origin *o = new_origin(r);
    line_comment(r, &o->span);
    p.origin = o;
    dg_vec_push(&r->m->places, p);
    return !r->failed;
}

static bool setting(reader *r, bool config)
{
    dg_setting s = {.name = string(r)};
    if (!want(r, "=")) return false;
    s.text = string(r);
    if (config)
        dg_vec_push(&r->m->config, s);
    else
        dg_vec_push(&r->m->args, s);
    return !r->failed;
}

/* Spans of ports stand in a vector that grows, so they are kept apart and copied at the end. */
static bool port(reader *r, bool input, bool report, dg_span *span)
{
    dg_port p = {.report = report};
    if (!at_index(r, input ? r->m->inputs.n : r->m->outputs.n) || !type(r, &p.type)) return false;
    p.name = string(r);
    line_comment(r, span);
    if (input)
        dg_vec_push(&r->m->inputs, p);
    else
        dg_vec_push(&r->m->outputs, p);
    return !r->failed;
}

static bool module(reader *r)
{
    dg_module *m = r->m;
    DG_VEC(dg_span *) inputs = {0}, outputs = {0};
    if (take(r, "train"))
        m->train = true;
    else if (take(r, "test"))
        m->is_test = true;
    else
        want(r, "entry");
    m->entry = string(r);
    for (;;) {
        if (r->failed) break;
        dg_span *span = DG_NEW(r->arena, dg_span);
        if (take(r, "config"))
            setting(r, true);
        else if (take(r, "argument"))
            setting(r, false);
        else if (take(r, "place"))
            place(r);
        else if (take(r, "input"))
            port(r, true, false, span), dg_vec_push(&inputs, span);
        else if (take(r, "output"))
            port(r, false, false, span), dg_vec_push(&outputs, span);
        else if (take(r, "report"))
            port(r, false, true, span), dg_vec_push(&outputs, span);
        else
            break;
    }
    bool good = !r->failed && want(r, "graph") && graph(r, &m->graph);
    if (good && take(r, "init")) good = graph(r, &m->init);
    skip(r, true);
    if (good && r->at < r->end) good = fail(r, "text after the end");
    if (good) {
        place_spans(r);
        for (size_t k = 0; k < inputs.n; k++) m->inputs.at[k].span = *inputs.at[k];
        for (size_t k = 0; k < outputs.n; k++) m->outputs.at[k].span = *outputs.at[k];
    }
    dg_vec_free(&inputs);
    dg_vec_free(&outputs);
    return good;
}

dg_module *dg_read_module(dg_arena *a, dg_diag *d, const char *file, const char *text,
                          size_t length, const struct dg_op *(*find)(const char *name))
{
    dg_module *m = DG_NEW(a, dg_module);
    m->arena = a;
    m->diag = d;
    m->strings = dg_strings_new(a);
    dg_sources *s = dg_diag_sources(d);
    reader r = {.arena = a,
                .diag = d,
                .name = file,
                .at = text,
                .text = text,
                .end = text + length,
                .file = -1,
                .m = m,
                .find = find};
    if (s) r.file = dg_sources_add(s, file, NULL, text, length);
    bool good = module(&r);
    dg_vec_free(&r.files);
    dg_vec_free(&r.last_line);
    dg_vec_free(&r.spans);
    if (good) return m;
    dg_module_free(m);
    return NULL;
}
