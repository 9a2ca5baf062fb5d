/* tests/runtime/config.c: run files: every key read, completed and written; every mistake at its
 * line. */
#include "runtime/config.h"
#include "runtime/yaml.h"
#include "tests/support/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static char *docs; /* docs/runs.md */

static int setup(void **state)
{
    size_t n;
    docs = temp_read("docs/runs.md", &n);
    if (temp_enter(state) != 0) return -1;
    temp_write("model.dg", "", 0);
    return 0;
}

static dg_config *parse(dg_arena *a, dg_diag **d, const char *text, const char *const *set)
{
    *d = dg_diag_new(a, dg_sources_new(a));
    return dg_config_parse(*d, a, "run.yaml", text, strlen(text), set);
}

static const char whole[] =
    "graph: model.dg\n"
    "entries: {train: step, sample: draw}\n"
    "config: {ch: 32, lr: 2.0e-4, mults: [1, 2, [3]], name: cosine, on: true, t: \"a b\"}\n"
    "data:\n"
    "  path: some/where\n"
    "  inputs: {x0: data, c: labels}\n"
    "  size: [1, 28, 28]\n"
    "  pad: 2\n"
    "  range: [0, 1]\n"
    "  flip: true\n"
    "  dequantize: uniform\n"
    "  split: {train: 0.75, valid: 0.25}\n"
    "train: {steps: 7, seed: 9, on_nonfinite: {policy: skip, limit: 4}}\n"
    "sample: {n: 16, args: {steps: 50, eta: 0.5}}\n"
    "log: {every: 5, samples_every: 6, eval_every: 8}\n"
    "save: {every: 10, every_minutes: 2.5, keep: {last: 3, every: 100}}\n"
    "runtime: {threads: 2, memory: 4G, precision: f64}\n"
    "out: elsewhere\n";

static void check_whole(const dg_config *c)
{
    dg_shape size = DG_SHAPE(1, 28, 28);
    assert_string_equal(c->graph, "model.dg");
    assert_string_equal(c->train_entry, "step");
    assert_string_equal(c->sample_entry, "draw");
    assert_null(c->eval_entry); /* the program says: eval, or nll */
    assert_int_equal(c->values.n, 6);
    assert_string_equal(dg_named_get(&c->values, "ch"), "32");
    assert_string_equal(dg_named_get(&c->values, "lr"), "0.0002");
    assert_string_equal(dg_named_get(&c->values, "mults"), "[1, 2, [3]]");
    assert_string_equal(dg_named_get(&c->values, "name"), "cosine");
    assert_string_equal(dg_named_get(&c->values, "on"), "true");
    assert_string_equal(dg_named_get(&c->values, "t"), "\"a b\"");
    assert_string_equal(c->data.path, "some/where");
    assert_string_equal(dg_named_get(&c->inputs, "c"), "labels");
    assert_true(dg_shape_equal(&c->data.size, &size));
    assert_int_equal(c->data.pad, 2);
    assert_true(c->data.range[0] == 0.0 && c->data.range[1] == 1.0);
    assert_true(c->data.flip && c->data.dequantize);
    assert_true(c->data.train_part == 0.75 && c->data.valid_part == 0.25);
    assert_int_equal(c->steps, 7);
    assert_int_equal(c->seed, 9);
    assert_string_equal(c->policy, "skip");
    assert_int_equal(c->limit, 4);
    assert_int_equal(c->sample_n, 16);
    assert_string_equal(dg_named_get(&c->sample_args, "eta"), "0.5");
    assert_int_equal(c->log_every + c->samples_every + c->eval_every, 19);
    assert_int_equal(c->save_every + c->keep_last + c->keep_every, 113);
    assert_true(c->save_minutes == 2.5);
    assert_int_equal(c->threads, 2);
    assert_true(c->memory == (int64_t)4 << 30);
    assert_string_equal(c->precision, "f64");
    assert_string_equal(c->out, "elsewhere");
}

static void every_key(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_diag *d;
    dg_config *c = parse(a, &d, whole, NULL);
    assert_non_null(c);
    check_whole(c);
    /* What is written reads back as the same. */
    dg_text text = {0};
    c->graph = "model.dg";
    c->data.path = "some/where";
    c->out = "elsewhere";
    dg_config_write(c, &text);
    c = parse(a, &d, text.at, NULL);
    assert_non_null(c);
    check_whole(c);
    dg_text_free(&text);
    dg_arena_free(a);
}

static void defaults_and_set(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_diag *d;
    const char *text = "graph: model.dg\ndata: {kind: swiss_roll}\n";
    dg_config *c = parse(a, &d, text, NULL);
    assert_non_null(c);
    assert_int_equal(c->steps, 20000);
    assert_string_equal(c->policy, "stop");
    assert_int_equal(c->keep_last, 2);
    const char *set[] = {"train.steps=12", "config.width=64", "config.widths=[1, 2]",
                         "save.keep.last=5", NULL};
    c = parse(a, &d, text, set);
    assert_non_null(c);
    assert_int_equal(c->steps, 12);
    assert_int_equal(c->keep_last, 5);
    assert_string_equal(dg_named_get(&c->values, "width"), "64");
    assert_string_equal(dg_named_get(&c->values, "widths"), "[1, 2]");
    const char *bad[] = {"train.stepz=12", NULL};
    assert_null(parse(a, &d, text, bad));
    assert_string_equal(dg_diag_at(d, 0)->id, "E104");
    const char *none[] = {"train.steps", NULL};
    assert_null(parse(a, &d, text, none));
    assert_string_equal(dg_diag_at(d, 0)->id, "E214");
    dg_arena_free(a);
}

#define HEAD "graph: model.dg\ndata: {kind: swiss_roll}\n"

static const struct {
    const char *text, *id;
    int line, column;
    const char *what;
} mistakes[] = {
    {HEAD "train:\n  stpes: 3\n", "E104", 4, 3,
     "unknown key 'stpes' in 'train' (did you mean 'steps'?)"},
    {HEAD "trian: {steps: 3}\n", "E104", 3, 1, "unknown key 'trian' (did you mean 'train'?)"},
    {HEAD "seed: 1\n", "E104", 3, 1, "unknown key 'seed'"},
    {HEAD "train: {steps: 1.5}\n", "E106", 3, 16,
     "must be a whole number from 1 to 4294967295, found '1.5'"},
    {HEAD "train: {steps: 0}\n", "E106", 3, 16, "found '0'"},
    {HEAD "train: {steps: -3}\n", "E106", 3, 16, "found '-3'"},
    {HEAD "train: {steps: 100abc}\n", "E106", 3, 16, "found '100abc'"},
    {HEAD "train: {steps: 010}\n", "E106", 3, 16, "found '010'"},
    {HEAD "train: {steps: 0x10}\n", "E106", 3, 16, "found '0x10'"},
    {HEAD "train: {steps: 99999999999999999999}\n", "E106", 3, 16, "must be"},
    {HEAD "train: {steps: \"3\"}\n", "E106", 3, 16, "must be"},
    {HEAD "train: {steps: }\n", "E106", 3, 16, "found ''"},
    {HEAD "train: {steps: [3]}\n", "E106", 3, 16, "found a list"},
    {HEAD "train: 3\n", "E106", 3, 8, "'train' must be a map of settings, found '3'"},
    {HEAD "train: {seed: 1}\ntrain: {seed: 2}\n", "E105", 4, 1, "'train' is given twice"},
    {HEAD "config: {lr: .nan}\n", "E106", 3, 14,
     "'lr' must be a finite decimal number, found '.nan'"},
    {HEAD "config: {lr: 1,5}\n", "E106", 3, 16, "'5' is no name"},
    {HEAD "config: {lr: }\n", "E106", 3, 14, "'lr' must be a value, found ''"},
    {HEAD "config: {lr: -.inf}\n", "E106", 3, 14, "found '-.inf'"},
    {HEAD "config: {lr: {a: 1}}\n", "E106", 3, 14, "found a map"},
    {HEAD "config: 5\n", "E106", 3, 9, "a map of names to values"},
    {HEAD "save: {every_minutes: inf}\n", "E106", 3, 23, "found 'inf'"},
    {HEAD "runtime: {memory: lots}\n", "E106", 3, 19, "a number of bytes"},
    {HEAD "runtime: {precision: f16}\n", "E106", 3, 22, "one of f32 bf16 f64"},
    {HEAD "train: {on_nonfinite: {policy: st}}\n", "E106", 3, 32, "one of stop skip rollback"},
    {"graph: model.dg\ndata: {kind: swis_roll}\n", "E106", 2, 14, "(did you mean 'swiss_roll'?)"},
    {"graph: model.dg\ndata: {kind: swiss_roll, flip: yes}\n", "E106", 2, 32,
     "must be true or false, found 'yes'"},
    {"graph: model.dg\ndata: {kind: swiss_roll, range: [1, -1]}\n", "E106", 2, 33,
     "two ascending numbers"},
    {"graph: model.dg\ndata: {kind: swiss_roll, size: 28}\n", "E106", 2, 32, "a list of sizes"},
    {"graph: model.dg\ndata: {kind: swiss_roll, path: x}\n", "E106", 2, 1,
     "is generated and has no path"},
    {"graph: model.dg\ndata: {kind: swiss_roll, inputs: {x: pixels}}\n", "E106", 2, 38,
     "data or labels"},
    {"graph: model.dg\ndata: {split: {train: 0.9, valid: 0.9}, kind: heartbeat}\n", "E106", 2, 1,
     "more than 1"},
    {"graph: model.dg\n", "E107", 1, 1, "'data.path' is missing"},
    {"data: {kind: swiss_roll}\n", "E107", 1, 1, "'graph' is missing"},
    {"graph: modle.dg\ndata: {kind: swiss_roll}\n", "E121", 1, 8,
     "cannot open graph 'modle.dg' (did you mean 'model.dg'?)"},
    {"graph: .\ndata: {kind: swiss_roll}\n", "E121", 1, 8, "cannot open graph"},
    {"graph: &a model.dg\n", "E101", 1, 8, "anchors"},
    {"graph: *a\n", "E101", 1, 8, "aliases"},
    {"graph: !str model.dg\n", "E101", 1, 8, "tags"},
    {"graph: model.dg\n---\ngraph: b.dg\n", "E101", 2, 1, "second document"},
    {"%YAML 1.1\n---\ngraph: b.dg\n", "E101", 1, 1, "directives"},
    {"? [a, b]\n: c\n", "E101", 1, 3, "key"},
    {"graph: [1\ntrain: {steps: 4}\n", "E101", 2, 6, "not YAML"},
    {"graph: model.dg\n\tdata: 1\n", "E101", 2, 1, "not YAML"},
    {"- a\n- b\n", "E101", 1, 1, "map of keys"},
    {"just words\n", "E101", 1, 1, "map of keys"},
    {"<<: {a: 1}\n", "E104", 1, 1, "unknown key"},
    {"graph: \"a\xff\"\n", "E101", 1, 10, "not UTF-8"},
    {"\xEF\xBB\xBFgraph: a\n", "E101", 1, 1, "byte order mark"},
    {"\xC3\xA4: 1\ngraph: model.dg\n\xC3\xA4\xC3\xA4: {stpes: 1}\n", "E104", 1, 1, "unknown key"},
};

static void each_mistake_at_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        dg_arena *a = dg_arena_new();
        dg_diag *d;
        if (parse(a, &d, mistakes[i].text, NULL)) fail_msg("accepted: %s", mistakes[i].text);
        const dg_message *m = dg_diag_at(d, 0);
        dg_position p = dg_source_position(dg_source_at(dg_diag_sources(d), 0), m->span.begin);
        if (strcmp(m->id, mistakes[i].id) != 0 || p.line != mistakes[i].line ||
            p.column != mistakes[i].column || !strstr(m->what, mistakes[i].what))
            fail_msg("%s at %d:%d: %s\nfor: %s", m->id, p.line, p.column, m->what,
                     mistakes[i].text);
        assert_int_equal(dg_exit_code(m->id), 3);
        dg_arena_free(a);
    }
}

/* Deep nesting, many keys, long keys, large files: refused at once, whatever libyaml makes of them.
 */
static void hostile_sizes(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    static const char *const openers[] = {"[", "{a: ", "- "};
    for (int k = 0; k < 3; k++) {
        dg_arena *a = dg_arena_new();
        dg_diag *d;
        dg_text t = {0};
        for (int i = 0; i < DEEP; i++) dg_text_add(&t, "%s", openers[k]);
        assert_null(parse(a, &d, t.at, NULL));
        assert_string_equal(dg_diag_at(d, 0)->id, "E101");
        dg_text_free(&t);
        dg_arena_free(a);
    }
    dg_arena *a = dg_arena_new();
    dg_diag *d;
    dg_text t = {0};
    dg_text_add(&t, "graph: ");
    for (int i = 0; i < (1 << 20); i++) dg_text_addn(&t, "a", 1);
    assert_null(parse(a, &d, t.at, NULL));
    assert_string_equal(dg_diag_at(d, 0)->id, "E101");
    t.n = 0;
    for (int i = 0; i < 5000; i++) dg_text_add(&t, "k");
    dg_text_add(&t, ": 1\n");
    assert_null(parse(a, &d, t.at, NULL));
    assert_string_equal(dg_diag_at(d, 0)->id, "E101");
    dg_text_free(&t);
    dg_arena_free(a);
}

/* The blocks marked yaml in docs/runs.md are run files. */
static void documentation(void **state)
{
    (void)state;
    int blocks = 0;
    for (char *at = docs; (at = strstr(at, "```yaml\n")) != NULL; blocks++) {
        at += strlen("```yaml\n");
        char *end = strstr(at, "```");
        assert_non_null(end);
        dg_arena *a = dg_arena_new();
        dg_diag *d;
        if (!parse(a, &d, dg_arena_text(a, at, (size_t)(end - at)), NULL))
            fail_msg("block %d: %s", blocks + 1, dg_diag_at(d, 0)->what);
        dg_arena_free(a);
        at = end;
    }
    assert_int_equal(blocks, 2);
    free(docs);
}

static void data_by_name(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    dg_data_spec s;
    assert_true(dg_data_spec_of_text(d, a, "swiss_roll", NULL, &s));
    assert_string_equal(s.kind, "swiss_roll");
    assert_null(s.path);
    assert_true(dg_data_spec_of_text(d, a, "some/images", "{pad: 2, flip: true}", &s));
    assert_string_equal(s.path, "some/images");
    assert_int_equal(s.pad, 2);
    assert_false(dg_data_spec_of_text(d, a, "x", "padd: 2", &s));
    assert_string_equal(dg_diag_at(d, 0)->id, "E104");
    dg_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key),
        cmocka_unit_test(defaults_and_set),
        cmocka_unit_test(each_mistake_at_its_line),
        cmocka_unit_test(hostile_sizes),
        cmocka_unit_test(documentation),
        cmocka_unit_test(data_by_name),
    };
    return cmocka_run_group_tests(tests, setup, temp_leave);
}
