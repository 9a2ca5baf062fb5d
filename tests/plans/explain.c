/* The formats: JSON is valid, its ids are dense, its sums agree with its parts, and canonical text
 * has no times; DOT closes what it
 * opens. */
#include "compiler/base/json.h"
#include "tests/plans/plan_of.h"

static const char text[] =
    "entry \"explained\"\n"
    "config \"lr\" = \"0.1\"\n"
    "place @0 param f32[8, 8] \"net.a.w\"\n"
    "input @0 f32[8, 8] \"x\"\n"
    "output @0 f32[8, 8] \"y\"\n"
    "graph {\n"
    "  %0: f32[8, 8] = place {index = 0, dtype = f32, shape = [8, 8]}\n"
    "  %1: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}\n"
    "  %2: f32[8, 8] = matmul(%1, %0) {tx = 0, ty = 0}  # net.a.out | net.a\n"
    "  %3: f32[8, 8] = loop(%2) {trips = 4, stop = 0} (%4: i32, %5: f32[8, 8]) {  # y t carried | "
    "net\n"
    "    %6: f32[8, 8] = matmul(%5, %0) {tx = 0, ty = 0}  # net.b.c.out | net.b.c\n"
    "    %7: f32[8, 8] = transpose(%6) {perm = [1, 0]}  # net.b.c.turned | net.b.c\n"
    "    %8: f32[8, 8] = add(%6, %7)  # net.b.sum | net.b\n"
    "    %9: f32[8, 8] = matmul(%8, %8) {tx = 0, ty = 1}  # net.b.out | net.b\n"
    "    yield %9\n"
    "  }\n"
    "  %10: f32[8, 8] = sub(%0, %3)  # update | opt\n"
    "  write(%10) {index = 0}\n"
    "  output(%3) {index = 0}\n"
    "}\n";

static json_t *json_of(const plan_text *t, bool canonical)
{
    dg_text out = {0};
    dg_explain_json(t->plan, &(dg_explain_options){.canonical = canonical}, &out);
    json_t *root = dg_json_read(t->diag, "E901", "plan", out.at, out.n);
    if (!root) fail_msg("%s", plan_messages(t));
    dg_text_free(&out);
    return root;
}

static int64_t number(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    assert_true(json_is_integer(v));
    return json_integer_value(v);
}

static void json(void **state)
{
    (void)state;
    plan_text t = plan_of("explained", text, NULL, false);
    json_t *root = json_of(&t, true), *full = json_of(&t, false);
    assert_string_equal(json_string_value(json_object_get(root, "format")), "dg-plan/1.0");
    static const char *const keys[] = {"format", "header",  "summary",  "regions",
                                       "inputs", "outputs", "places",   "values",
                                       "steps",  "loops",   "decisions"};
    size_t k = 0;
    const char *key;
    json_t *part;
    json_object_foreach(root, key, part) assert_string_equal(key, keys[k++]);
    assert_int_equal(k, sizeof keys / sizeof *keys);

    json_t *values = json_object_get(root, "values"), *steps = json_object_get(root, "steps"),
           *summary = json_object_get(root, "summary");
    size_t i;
    int64_t top = 0;
    json_array_foreach(values, i, part)
    {
        assert_int_equal(number(part, "id"), i);
        if (strcmp(json_string_value(json_object_get(part, "region")), "arena") == 0 &&
            number(part, "offset") + number(part, "bytes") > top)
            top = number(part, "offset") + number(part, "bytes");
    }
    json_array_foreach(steps, i, part) assert_int_equal(number(part, "id"), i);
    assert_int_equal(number(summary, "steps"), json_array_size(steps));
    assert_int_equal(number(summary, "values"), json_array_size(values));
    assert_true(top <= number(summary, "peak") && top + 64 > number(summary, "peak"));
    assert_null(json_object_get(summary, "seconds"));
    assert_non_null(json_object_get(json_object_get(full, "summary"), "seconds"));
    json_t *carry = json_array_get(
        json_object_get(json_array_get(json_object_get(root, "loops"), 0), "carries"), 0);
    assert_string_equal(json_string_value(json_object_get(carry, "how")), "in place");
    json_decref(root);
    json_decref(full);
    plan_text_free(&t);
}

/* As much of JSON Schema as the schemas in docs use. */
static void conforms(json_t *schema, json_t *v, const char *where)
{
    json_t *type = json_object_get(schema, "type"),
           *types = json_is_array(type) ? json_incref(type) : json_pack("[O]", type);
    static const char *const names[] = {
        [JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",   [JSON_NULL] = "null"};
    bool fits = false;
    size_t i;
    json_t *one;
    json_array_foreach(types, i, one)
    {
        const char *name = json_string_value(one);
        fits |= strcmp(name, names[json_typeof(v)]) == 0 ||
                (strcmp(name, "number") == 0 && json_is_integer(v));
    }
    if (!fits) fail_msg("%s is of type %s", where, names[json_typeof(v)]);
    json_decref(types);
    json_t *choice = json_object_get(schema, "enum");
    fits = !choice;
    json_array_foreach(choice, i, one) fits |= json_equal(one, v);
    if (!fits) fail_msg("%s is `%s`", where, json_string_value(v));
    json_array_foreach(v, i, one) conforms(json_object_get(schema, "items"), one, where);
    if (!json_is_object(v)) return;
    const char *key;
    json_t *properties = json_object_get(schema, "properties"),
           *others = json_object_get(schema, "additionalProperties");
    json_array_foreach(json_object_get(schema, "required"), i, one)
    {
        if (!json_object_get(v, json_string_value(one)))
            fail_msg("%s has no %s", where, json_string_value(one));
    }
    json_object_foreach(v, key, one)
    {
        json_t *inner = json_object_get(properties, key);
        if (inner)
            conforms(inner, one, key);
        else if (json_is_object(others))
            conforms(others, one, key);
        else if (json_is_false(others))
            fail_msg("%s has an unknown %s", where, key);
    }
}

static json_t *rules_of(const plan_text *t, const char *path)
{
    dg_file f;
    assert_true(dg_file_read(t->diag, path, 1 << 20, &f));
    json_t *rules = dg_json_read(t->diag, "E901", "schema", (const char *)f.bytes, f.length);
    assert_non_null(rules);
    dg_file_close(&f);
    return rules;
}

static void schema(void **state)
{
    (void)state;
    plan_text t = plan_of("explained", text, NULL, false);
    json_t *rules = rules_of(&t, "docs/plan.schema.json");
    for (int canonical = 0; canonical < 2; canonical++) {
        json_t *root = json_of(&t, canonical);
        conforms(rules, root, "the plan");
        json_decref(root);
    }
    json_decref(rules);
    plan_text_free(&t);
}

static json_t *why(const plan_text *t, json_t *rules, const char *subject)
{
    dg_text out = {0};
    const char *close;
    assert_true(dg_explain_why(t->plan, subject, true, &out, &close));
    json_t *root = dg_json_read(t->diag, "E901", subject, out.at, out.n);
    assert_non_null(root);
    conforms(rules, root, subject);
    dg_text_free(&out);
    return root;
}

/* Every value and step, and what was decided, as the plan has them. */
static void whys(void **state)
{
    (void)state;
    plan_text t = plan_of("explained", text, NULL, false);
    json_t *rules = rules_of(&t, "docs/why.schema.json"), *root;
    const dg_plan *p = t.plan;
    char subject[16];
    size_t told = 0, known = 0;
    for (int i = 0; i < p->n_decisions; i++) known += p->decisions[i].value >= 0;
    for (int v = 0; v < p->n_values; v++) {
        snprintf(subject, sizeof subject, "%%%d", v);
        root = why(&t, rules, subject);
        json_t *one = json_array_get(json_object_get(root, "values"), 0);
        int readers = 0;
        for (int s = 0; s < p->n_steps; s++) {
            bool reads = false;
            for (int k = 0; k < p->steps[s].n_in; k++)
                reads |= p->values[p->steps[s].in[k]].of == p->values[v].of;
            readers += reads;
        }
        assert_int_equal(json_integer_value(json_object_get(one, "bytes")), p->values[v].bytes);
        assert_int_equal(json_array_size(json_object_get(one, "readers")), readers);
        told += json_array_size(json_object_get(one, "decisions"));
        json_decref(root);
    }
    assert_int_equal(told, known);
    for (int s = 0; s < p->n_steps; s++) {
        snprintf(subject, sizeof subject, "@%d", s);
        root = why(&t, rules, subject);
        json_t *one = json_array_get(json_object_get(root, "steps"), 0);
        assert_string_equal(json_string_value(json_object_get(one, "kernel")), p->steps[s].label);
        assert_int_equal(json_array_size(json_object_get(one, "reads")), p->steps[s].n_in);
        json_decref(root);
    }
    root = why(&t, rules, "net.a.w");
    assert_int_equal(json_array_size(json_object_get(root, "values")), 1);
    json_decref(root);
    json_decref(rules);
    plan_text_free(&t);
}

/* Whatever changes what is computed changes the hash: an attribute, a number in a table. */
static void hash(void **state)
{
    (void)state;
    dg_text other = {0};
    const char *at = strstr(text, "tx = 0, ty = 1");
    dg_text_add(&other, "%.*stx = 1, ty = 0%s", (int)(at - text), text,
                at + strlen("tx = 0, ty = 1"));
    plan_text a = plan_of("explained", text, NULL, false),
              b = plan_of("explained", other.at, NULL, false),
              c = plan_of("explained", text, NULL, false);
    c.plan->seconds = 7;
    assert_int_equal(dg_plan_hash(a.plan), dg_plan_hash(c.plan));
    assert_true(dg_plan_hash(a.plan) != dg_plan_hash(b.plan));
    plan_text_free(&a);
    plan_text_free(&b);
    plan_text_free(&c);
    dg_text_free(&other);
}

static void table(void **state)
{
    (void)state;
    plan_text t = plan_of("explained", text, NULL, false);
    dg_text one = {0}, quiet = {0};
    t.plan->seconds = 0.5;
    dg_explain_text(t.plan, &(dg_explain_options){.threads = 2}, &one);
    dg_explain_text(t.plan, &(dg_explain_options){.canonical = true, .summary_only = true}, &quiet);
    assert_non_null(strstr(one.at, "500.0 ms"));
    assert_non_null(strstr(one.at, "loop 0 x4  carries carried (in place)"));
    assert_non_null(strstr(one.at, "net.a.w"));
    assert_null(strstr(quiet.at, " ms"));
    assert_true(strncmp(quiet.at, "peak ", 5) == 0);
    int lines = 0;
    for (const char *c = quiet.at; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 4);
    assert_non_null(strstr(quiet.at, "1 parameter tensor, "));
    dg_text_free(&one);
    dg_text_free(&quiet);
    plan_text_free(&t);
}

static void dot(void **state)
{
    (void)state;
    plan_text t = plan_of("explained", text, NULL, false);
    size_t before = 0;
    for (int depth = 0; depth < 3; depth++) {
        dg_text out = {0};
        dg_explain_dot(t.plan, &(dg_explain_options){.depth = depth}, &out);
        int open = 0, nodes = 0;
        for (const char *c = out.at; *c; c++) {
            open += (*c == '{') - (*c == '}');
            assert_true(open >= 0);
        }
        for (const char *c = out.at; (c = strstr(c, "[label=\"")); c++) nodes++;
        assert_int_equal(open, 0);
        assert_true(nodes > 0);
        if (depth == 0) assert_non_null(strstr(out.at, "label=\"c\";")); /* net.b.c is a cluster */
        if (depth == 1) before = out.n;
        if (depth == 2) assert_true(out.n > before);
        dg_text_free(&out);
    }
    plan_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json),  cmocka_unit_test(schema),
                                       cmocka_unit_test(whys),  cmocka_unit_test(hash),
                                       cmocka_unit_test(table), cmocka_unit_test(dot)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
