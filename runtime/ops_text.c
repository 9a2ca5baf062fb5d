/* ops_text.c: documentation out of the tables it describes: ops from the registry, message ids from
 * errors.def, passes from passes.def. */
#include "runtime/context.h"

#include "compiler/base/json.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"int", "float", "ints", "floats", "text", "data"};

static const char *first_line(const char *doc, int *n)
{
    *n = (int)strcspn(doc, "\n");
    return doc;
}

static void add_attr(const dg_attr_spec *s, dg_text *out)
{
    char number[32];
    dg_text_add(out, "  %-10s %-6s %s", s->name, kind_names[s->kind], s->doc ? s->doc : "");
    if (!s->required && s->kind == DG_INT) dg_text_add(out, "  [%lld]", (long long)s->fallback);
    if (!s->required && s->kind == DG_FLOAT)
        dg_text_add(out, "  [%s]", dg_double_text(s->fallback, number));
    dg_text_add(out, "\n");
}

static void add_op(const dg_op *op, dg_text *out)
{
    dg_text_add(out, "%s(%s) -> %s\n\n%s\n", op->name, op->inputs ? op->inputs : "",
                op->outputs ? op->outputs : "", op->doc);
    if (op->attrs && op->attrs[0].name) dg_text_add(out, "\nattributes\n");
    for (const dg_attr_spec *s = op->attrs; s && s->name; s++) add_attr(s, out);
    dg_text_add(out, "\ngradient   %s\n", op->grad ? "yes" : op->no_grad);
    dg_text_add(out, "kernels    ");
    for (const dg_kernel *k = op->kernels; k && k->run; k++) dg_text_add(out, "%s ", k->name);
    dg_text_add(out, "ref%s\n",
                op->traits & DG_ELEMENTWISE ? " (elementwise: fused into strips)" : "");
    if (op->traits & DG_INNER) dg_text_add(out, "made by the compiler; not writable in .dg\n");
}

static void op_json(dg_json_writer *w, const dg_op *op)
{
    dg_json_open(w, '{');
    const char *keys[] = {"name", "inputs", "outputs", "doc"},
               *values[] = {op->name, op->inputs, op->outputs, op->doc};
    for (int i = 0; i < 4; i++) {
        dg_json_string_field(w, keys[i], values[i] ? values[i] : "");
    }
    dg_json_key(w, "attributes");
    dg_json_open(w, '[');
    for (const dg_attr_spec *s = op->attrs; s && s->name; s++) {
        dg_json_open(w, '{');
        dg_json_string_field(w, "name", s->name);
        dg_json_string_field(w, "kind", kind_names[s->kind]);
        dg_json_key(w, "required");
        dg_json_bool(w, s->required);
        dg_json_string_field(w, "doc", s->doc ? s->doc : "");
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
    dg_json_key(w, "inner");
    dg_json_bool(w, (op->traits & DG_INNER) != 0);
    dg_json_close(w, '}');
}

static char *ops_json(const char *name)
{
    dg_json_writer w = {.pretty = true};
    if (!name) dg_json_open(&w, '[');
    const dg_op *op;
    for (int i = 0; (op = dg_op_at(i)) != NULL; i++)
        if (!name || strcmp(name, op->name) == 0) op_json(&w, op);
    if (!name) dg_json_close(&w, ']');
    dg_text_add(&w.text, "\n");
    return w.text.at;
}

static void unknown(dg_context *c, const char *id, const char *what, const char *name,
                    const char *near)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_context_diag(c, a, NULL);
    dg_message *m = dg_error_at(d, id, "dg", "unknown %s '%s'", what, name);
    if (near) dg_help_add(d, m, "did you mean '%s'?", near);
    dg_context_flush(c, d);
    dg_arena_free(a);
}

char *dg_ops_text(dg_context *c, const char *name, bool json)
{
    const dg_op *op, *near = NULL;
    int least = 3;
    for (int i = 0; name && (op = dg_op_at(i)) != NULL; i++) {
        int distance = dg_edit_distance(name, op->name, 2);
        if (distance < least) {
            least = distance;
            near = op;
        }
    }
    if (name && !dg_op_find(name)) {
        unknown(c, "E224", "op", name, near ? near->name : NULL);
        return NULL;
    }
    if (json) return ops_json(name);
    dg_text out = {0};
    if (name) add_op(dg_op_find(name), &out);
    for (int i = 0; !name && (op = dg_op_at(i)) != NULL; i++) {
        int n;
        const char *line = first_line(op->doc, &n);
        dg_text_add(&out, "%-14s %.*s\n", op->name, n, line);
    }
    return out.at;
}

char *dg_explain_text_of(dg_context *c, const char *id)
{
    const dg_explanation *e = dg_explain(id);
    if (!e) {
        unknown(c, "E225", "message id", id, NULL);
        return NULL;
    }
    dg_text out = {0};
    dg_text_add(&out, "%s (exit code %d): %s\n\nwrong\n    %s\nright\n    %s\n", e->id,
                dg_exit_code(e->id), e->meaning, e->wrong, e->right);
    return out.at;
}

bool dg_pass_text(int i, const char **name, const char **summary, bool *optional)
{
    const dg_pass_info *p = dg_pass_at(i);
    if (!p) return false;
    *name = p->name;
    *summary = p->summary;
    *optional = p->optional;
    return true;
}
