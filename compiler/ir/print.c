/* print.c: the IR as text. The form is described in print.h; read.c reads it.
 *
 * In     a module, or one node.
 * Out    text that depends on nothing but the graph: values are numbered in the order of the text.
 */
#include "compiler/ir/print.h"

#include <string.h>

typedef struct printer {
    const dg_graph *g;
    const dg_sources *sources; /* NULL: no source lines */
    const dg_value *number;    /* by value; NULL: the ids themselves */
    dg_text *out;
    int depth;
} printer;

bool dg_attr_is_dtype(const char *name)
{
    return strcmp(name, "dtype") == 0 || strcmp(name, "to") == 0;
}

static void quoted(dg_text *out, const char *s)
{
    dg_text_add(out, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            dg_text_add(out, "\\%c", c);
        else if (c < ' ')
            dg_text_add(out, "\\x%02x", c);
        else
            dg_text_addn(out, s, 1);
    }
    dg_text_add(out, "\"");
}

/* A word of a comment: bare where that cannot be misread. */
static void word(dg_text *out, const char *s)
{
    if (*s && s[strcspn(s, " \t\r\n\"|\\")] == '\0')
        dg_text_add(out, "%s", s);
    else
        quoted(out, s);
}

static void ints(dg_text *out, const int64_t *v, int n)
{
    dg_text_add(out, "[");
    for (int i = 0; i < n; i++) dg_text_add(out, i ? ", %lld" : "%lld", (long long)v[i]);
    dg_text_add(out, "]");
}

static void floats(dg_text *out, const double *v, int n)
{
    char buffer[32];
    dg_text_add(out, "[");
    for (int i = 0; i < n; i++) dg_text_add(out, i ? ", %s" : "%s", dg_double_text(v[i], buffer));
    dg_text_add(out, "]");
}

/* Data holds doubles for floats and int32 for everything else; which, says the dtype beside it. */
static void data(dg_text *out, const dg_attrs *attrs, const dg_attr *a)
{
    const dg_attr *dtype = dg_attr_find(attrs, "dtype");
    if (!dtype || dg_dtype_is_float((dg_dtype)dtype->v.i)) {
        floats(out, a->v.data, a->n / (int)sizeof(double));
        return;
    }
    const int32_t *v = a->v.data;
    dg_text_add(out, "[");
    for (int i = 0; i < a->n / (int)sizeof *v; i++) dg_text_add(out, i ? ", %d" : "%d", (int)v[i]);
    dg_text_add(out, "]");
}

static void print_attrs(dg_text *out, const dg_attrs *attrs)
{
    char buffer[32];
    if (attrs->n == 0) return;
    dg_text_add(out, " {");
    for (int i = 0; i < attrs->n; i++) {
        const dg_attr *a = &attrs->at[i];
        dg_text_add(out, "%s%s = ", i ? ", " : "", a->name);
        switch (a->kind) {
        case DG_INT:
            if (dg_attr_is_dtype(a->name) && a->v.i >= 0 && a->v.i < DG_DTYPES)
                dg_text_add(out, "%s", dg_dtype_name((dg_dtype)a->v.i));
            else
                dg_text_add(out, "%lld", (long long)a->v.i);
            break;
        case DG_FLOAT:
            dg_text_add(out, "%s", dg_double_text(a->v.f, buffer));
            break;
        case DG_INTS:
            ints(out, a->v.ints, a->n);
            break;
        case DG_FLOATS:
            floats(out, a->v.floats, a->n);
            break;
        case DG_STR:
            quoted(out, a->v.str);
            break;
        case DG_DATA:
            data(out, attrs, a);
            break;
        }
    }
    dg_text_add(out, "}");
}

static void value(const printer *p, dg_value v)
{
    dg_text_add(p->out, "%%%d", (int)(p->number && v >= 0 ? p->number[v] : v));
}

static void typed(const printer *p, dg_value v)
{
    value(p, v);
    dg_text_add(p->out, ": ");
    dg_type_text(dg_type_of(p->g, v), p->out);
}

static void print_strip(dg_text *out, const dg_strip *s)
{
    dg_text_add(out, " strip ");
    dg_shape_text(&s->space, out);
    dg_text_add(out, " (");
    for (int i = 0; i < s->n_in; i++)
        dg_text_add(out, i ? ", %s" : "%s", dg_dtype_name(s->in_dtype[i]));
    dg_text_add(out, ") {");
    for (int i = 0; i < s->n_code; i++) {
        const dg_strip_code *c = &s->code[i];
        dg_text_add(out, "$%d: %s = %s(", s->n_in + i, dg_dtype_name(c->dtype), c->op->name);
        for (int k = 0; k < c->n_in; k++) dg_text_add(out, k ? ", $%d" : "$%d", c->in[k]);
        dg_text_add(out, ")");
        print_attrs(out, &c->attrs);
        dg_text_add(out, "; ");
    }
    dg_text_add(out, "out ");
    for (int i = 0; i < s->n_out; i++) {
        dg_text_add(out, i ? ", $%d" : "$%d", s->out[i].reg);
        if (s->out[i].reduce) dg_text_add(out, " sum %d", s->out[i].reduce);
        if (s->out[i].span) dg_text_add(out, " moments %lld", (long long)s->out[i].span);
    }
    dg_text_add(out, "}");
}

/* Everything of a node before its body and its comment. */
static void head(const printer *p, dg_node n)
{
    const dg_node_info *i = dg_node_of(p->g, n);
    dg_text *out = p->out;
    for (int k = 0; k < i->n_out; k++) {
        if (k) dg_text_add(out, ", ");
        typed(p, i->out[k]);
    }
    dg_text_add(out, "%s%s", i->n_out ? " = " : "", i->op->name);
    if (i->n_in || i->attrs.n == 0) {
        dg_text_add(out, "(");
        for (int k = 0; k < i->n_in; k++) {
            if (k) dg_text_add(out, ", ");
            value(p, i->in[k]);
        }
        dg_text_add(out, ")");
    }
    print_attrs(out, &i->attrs);
    if (i->strip) print_strip(out, i->strip);
    if (i->prologue) {
        dg_text_add(out, " prologue %d", i->prologue->operand);
        if (i->prologue->parts > 1) dg_text_add(out, " parts %d", i->prologue->parts);
        if (i->prologue->grow > 1) dg_text_add(out, " grow %d", i->prologue->grow);
        if (i->prologue->strip) print_strip(out, i->prologue->strip);
    }
    if (i->n_own != i->n_in) dg_text_add(out, " own %d", i->n_own);
    if (i->kernel) dg_text_add(out, " kernel %s", i->kernel->name);
    if (i->phase != DG_FORWARD) dg_text_add(out, i->phase == DG_BACKWARD ? " backward" : " update");
    if (i->remat) dg_text_add(out, " remat %d", i->remat);
}

/* A node without names and place has no comment. */
static bool nameless(const printer *p, dg_node n)
{
    const dg_node_info *i = dg_node_of(p->g, n);
    if (*i->scope || (i->origin && dg_source_at(p->sources, i->origin->span.file))) return false;
    for (int k = 0; k < i->n_out; k++) {
        if (*dg_path_of(p->g, i->out[k])) return false;
    }
    return i->body == DG_NONE;
}

static void comment(const printer *p, dg_node n)
{
    const dg_node_info *i = dg_node_of(p->g, n);
    if (nameless(p, n)) return;
    dg_text_add(p->out, "  #");
    for (int k = 0; k < i->n_out; k++) {
        dg_text_add(p->out, " ");
        word(p->out, dg_path_of(p->g, i->out[k]));
    }
    if (i->body != DG_NONE) {
        const dg_region_info *body = dg_region_of(p->g, i->body);
        for (size_t k = 0; k < body->args.n; k++) {
            dg_text_add(p->out, " ");
            word(p->out, dg_path_of(p->g, body->args.at[k]));
        }
    }
    dg_text_add(p->out, i->n_out ? " | " : " ");
    word(p->out, i->scope);
    const dg_source *s = i->origin ? dg_source_at(p->sources, i->origin->span.file) : NULL;
    if (!s) return;
    dg_text_add(p->out, " | ");
    word(p->out, s->name);
    dg_text_add(p->out, ":%d", dg_source_position(s, i->origin->span.begin).line);
}

static void indent(const printer *p)
{
    dg_text_add(p->out, "%*s", 2 * p->depth, "");
}

static void region(printer *p, dg_region r)
{
    DG_EACH_NODE(p->g, r, n) {
        const dg_node_info *i = dg_node_of(p->g, n);
        indent(p);
        head(p, n);
        if (i->body == DG_NONE) {
            comment(p, n);
            dg_text_add(p->out, "\n");
            continue;
        }
        const dg_region_info *body = dg_region_of(p->g, i->body);
        dg_text_add(p->out, " (");
        for (size_t k = 0; k < body->args.n; k++) {
            if (k) dg_text_add(p->out, ", ");
            typed(p, body->args.at[k]);
        }
        dg_text_add(p->out, ") {");
        comment(p, n);
        dg_text_add(p->out, "\n");
        p->depth++;
        region(p, i->body);
        indent(p);
        dg_text_add(p->out, "yield");
        for (size_t k = 0; k < body->results.n; k++) {
            dg_text_add(p->out, k ? ", " : " ");
            value(p, body->results.at[k]);
        }
        p->depth--;
        dg_text_add(p->out, "\n");
        indent(p);
        dg_text_add(p->out, "}\n");
    }
}

static void number_region(const dg_graph *g, dg_region r, dg_value *number, dg_value *next)
{
    DG_EACH_NODE(g, r, n) {
        const dg_node_info *i = dg_node_of(g, n);
        for (int k = 0; k < i->n_out; k++) number[i->out[k]] = (*next)++;
        if (i->body == DG_NONE) continue;
        const dg_region_info *body = dg_region_of(g, i->body);
        for (size_t k = 0; k < body->args.n; k++) number[body->args.at[k]] = (*next)++;
        number_region(g, i->body, number, next);
    }
}

static void print_graph(const dg_module *m, const dg_graph *g, const char *name, dg_text *out)
{
    dg_arena *scratch = dg_arena_new();
    dg_value *number = DG_NEW_ARRAY(scratch, dg_value, g->values.n), next = 0;
    number_region(g, 0, number, &next);
    dg_text_add(out, "%s {\n", name);
    printer p = {.g = g,
                 .sources = m->diag ? dg_diag_sources(m->diag) : NULL,
                 .number = number,
                 .out = out,
                 .depth = 1};
    region(&p, 0);
    dg_text_add(out, "}\n");
    dg_arena_free(scratch);
}

static void line_of(const dg_module *m, dg_span span, dg_text *out)
{
    const dg_source *s = m->diag ? dg_source_at(dg_diag_sources(m->diag), span.file) : NULL;
    if (s) {
        dg_text_add(out, "  # ");
        word(out, s->name);
        dg_text_add(out, ":%d", dg_source_position(s, span.begin).line);
    }
    dg_text_add(out, "\n");
}

static void settings(const char *keyword, const dg_setting *s, size_t n, dg_text *out)
{
    for (size_t i = 0; i < n; i++) {
        dg_text_add(out, "%s ", keyword);
        quoted(out, s[i].name);
        dg_text_add(out, " = ");
        quoted(out, s[i].text);
        dg_text_add(out, "\n");
    }
}

static void port(const dg_module *m, const char *keyword, size_t i, const dg_port *p, dg_text *out)
{
    dg_text_add(out, "%s @%zu ", keyword, i);
    dg_type_text(&p->type, out);
    dg_text_add(out, " ");
    quoted(out, p->name);
    line_of(m, p->span, out);
}

void dg_print_module(const dg_module *m, dg_text *out)
{
    dg_text_add(out, "%s ", m->is_test ? "test" : m->train ? "train" : "entry");
    quoted(out, m->entry ? m->entry : "");
    dg_text_add(out, "\n");
    settings("config", m->config.at, m->config.n, out);
    settings("argument", m->args.at, m->args.n, out);
    for (size_t i = 0; i < m->places.n; i++) {
        const dg_place *p = &m->places.at[i];
        dg_text_add(out, "place @%zu %s ", i, p->trained ? "param" : "state");
        dg_type_text(&p->type, out);
        dg_text_add(out, " ");
        quoted(out, p->path);
        if (p->init) {
            dg_text_add(out, " init ");
            quoted(out, p->init);
        }
        if (p->swap) {
            dg_text_add(out, " swap ");
            quoted(out, p->swap);
        }
        line_of(m, p->origin ? p->origin->span : DG_NOWHERE, out);
    }
    for (size_t i = 0; i < m->inputs.n; i++) port(m, "input", i, &m->inputs.at[i], out);
    for (size_t i = 0; i < m->outputs.n; i++)
        port(m, m->outputs.at[i].report ? "report" : "output", i, &m->outputs.at[i], out);
    print_graph(m, m->graph, "graph", out);
    if (m->init) print_graph(m, m->init, "init", out);
}

void dg_print_node(const dg_graph *g, dg_node n, dg_text *out)
{
    printer p = {.g = g, .out = out};
    head(&p, n);
}
