/* parse_hostile.c: texts made to break a parser, run on a stack of 256 KB. Each ends with one of
 * the language's own messages at most eight of them, or is accepted; what is accepted is also
 * walked by the printers. */
#include "tests/lang/parse_support.h"

#include <pthread.h>

/* Sanitizers make frames several times as large. */
#if defined(__SANITIZE_ADDRESS__)
enum { STACK = 2 << 20 };
#else
enum { STACK = 256 << 10 };
#endif

static void repeat(dg_text *t, const char *s, int n)
{
    for (int i = 0; i < n; i++) dg_text_add(t, "%s", s);
}

typedef struct job {
    const char *text;
    size_t n;
    char ids[128]; /* of the messages, in order */
    char first[256];
    int errors;
} job;

static void *run(void *argument)
{
    job *j = argument;
    parsed p = parse_bytes("hostile.dg", j->text, j->n);
    j->errors = dg_diag_errors(p.diag);
    for (size_t i = 0; i < dg_diag_count(p.diag); i++) {
        size_t used = strlen(j->ids);
        snprintf(j->ids + used, sizeof j->ids - used, "%s%s", used ? " " : "",
                 dg_diag_at(p.diag, i)->id);
        if (i == 0) snprintf(j->first, sizeof j->first, "%s", dg_diag_at(p.diag, i)->what);
    }
    messages(&p);
    outline(&p);
    if (p.tree->ok) formatted(&p);
    parsed_free(&p);
    return NULL;
}

static job parse_on_small_stack(const char *text, size_t n)
{
    job j = {.text = text, .n = n};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    assert_int_equal(pthread_create(&thread, &attributes, run, &j), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    return j;
}

static void expect(const char *text, size_t n, const char *ids)
{
    job j = parse_on_small_stack(text, n);
    if (strcmp(j.ids, ids) != 0)
        fail_msg("wanted '%s', got '%s': %s\nfor %.200s", ids, j.ids, j.first, text);
    assert_true(j.errors <= 8);
}

static void expect_text(dg_text *t, const char *ids)
{
    expect(t->at ? t->at : "", t->n, ids);
    dg_text_free(t);
}

#define BYTES(text, ids) expect(text, sizeof text - 1, ids)

static void bytes_that_are_no_text(void **state)
{
    (void)state;
    BYTES("", "");
    BYTES("\n\n\n", "");
    BYTES("# only a comment", "");
    BYTES("config a = 1\0", "E001");
    BYTES("\xef\xbb\xbf"
          "config a = 1\n",
          "E001");
    BYTES("\xff\xfe"
          "c\0o\0",
          "E001");
    BYTES("\xfe\xff"
          "\0c\0o",
          "E001");
    BYTES("# \xc0\xaf\n", "E001");         /* overlong */
    BYTES("# \xed\xa0\x80\n", "E001");     /* surrogate */
    BYTES("# \xf4\x90\x80\x80\n", "E001"); /* above U+10FFFF */
    BYTES("# \xe2\x82", "E001");           /* cut off */
    BYTES("# \xe2\x80\xae hidden\n", "E002");
    BYTES("# \xe2\x81\xa6 hidden\n", "E002");
    BYTES("# \x1b[31m\n", "E002");
    BYTES("# \xc2\x9b 31m\n", "E002");
    BYTES("config \xd0\xb0 = 1\n", "E002"); /* Cyrillic a */
    BYTES("config a = \"\xd0\xb0\"\n", ""); /* fine inside text */
    BYTES("config a = 1\rconfig b = 2\r", "E002");
    BYTES("\x7f"
          "ELF\x02\x01\x01",
          "E002");
    BYTES("config %s%n = 1\n", "E003");
}

static void brackets(void **state)
{
    (void)state;
    static const char *const open[] = {"(",       "[",    "{",   "f(",     "x[",
                                       "fn(a = ", "f32[", "\"{", "if a { "};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        dg_text t = {0};
        dg_text_add(&t, "%s", i == 8 || i == 2 ? "block f() { " : "const a = ");
        repeat(&t, open[i], 100000);
        job j = parse_on_small_stack(t.at, t.n);
        assert_true(j.errors >= 1 && j.errors <= 8);
        if (i != 2 && !strstr(j.ids, "E007")) fail_msg("%s: %s", open[i], j.ids);
        dg_text_free(&t);
    }
    static const char *const close[] = {")", "]", "}", ")]}"};
    for (size_t i = 0; i < sizeof close / sizeof *close; i++) {
        dg_text t = {0};
        repeat(&t, close[i], 5000);
        expect_text(&t, "E005 E005 E005 E005 E005 E005 E005 E005");
    }
    dg_text t = {0};
    dg_text_add(&t, "const a = ");
    repeat(&t, "(", 256);
    dg_text_add(&t, "1");
    repeat(&t, ")", 256);
    expect_text(&t, "");
}

static void prefixes_and_chains(void **state)
{
    (void)state;
    static const char *const prefix[] = {
        "-", "not ", "remat ", "fn() => ", "if a then b else ", "if a then ", "1 ** ", "if "};
    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
        dg_text t = {0};
        dg_text_add(&t, "const a = ");
        repeat(&t, prefix[i], 100000);
        dg_text_add(&t, "1\n");
        expect_text(&t, "E007");
    }
    static const char *const suffix[] = {" + 1", " * 2", " and b", "(1)", "[0]", "@l(1)"};
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++) {
        dg_text t = {0};
        dg_text_add(&t, "const a = b");
        repeat(&t, suffix[i], 200000);
        dg_text_add(&t, "\n");
        expect_text(&t, "E007");
    }
    dg_text t = {0};
    dg_text_add(&t, "block f() {\n  if a { b = 1 }");
    repeat(&t, " else if a { b = 1 }", 3000);
    dg_text_add(&t, "\n}\n");
    expect_text(&t, "E007");
    dg_text_add(&t, "block f() {\n  if a { b = 1 }");
    repeat(&t, " else if a { b = 1 }", 200);
    dg_text_add(&t, "\n}\n");
    expect_text(&t, "");
    dg_text_add(&t, "const a = 1");
    repeat(&t, " + 1", 254);
    dg_text_add(&t, "\n");
    expect_text(&t, "");
}

/* Just below the limit: every later walk has to stand it. */
static void as_deep_as_allowed(void **state)
{
    (void)state;
    static const char *const nests[][3] = {
        {"[", "1", "]"},
        {"f(", "1", ")"},
        {"f32(", "1", ")"},
        {"x[", "1", "]"},
        {"(1 + (2, ", "3", "))"},
        {"-", "1", ""},
        {"fn() => ", "1", ""},
        {"if a then b else ", "1", ""},
        {"[x for y in ", "1", "]"},
        {"a ** ", "1", ""},
    };
    for (size_t i = 0; i < sizeof nests / sizeof *nests; i++) {
        int n = i == 4 ? 120 : 250;
        dg_text t = {0};
        dg_text_add(&t, "const a = ");
        repeat(&t, nests[i][0], n);
        dg_text_add(&t, "%s", nests[i][1]);
        repeat(&t, nests[i][2], n);
        expect_text(&t, "");
    }
    dg_text t = {0};
    dg_text_add(&t, "block f() { ");
    repeat(&t, "if a { ", 250);
    dg_text_add(&t, "b = 1");
    repeat(&t, " }", 251);
    expect_text(&t, "");
}

static void long_tokens(void **state)
{
    (void)state;
    dg_text t = {0};
    dg_text_add(&t, "config ");
    repeat(&t, "abcdefghij", 1000000);
    dg_text_add(&t, " = 1\n");
    expect_text(&t, "E004");
    dg_text_add(&t, "config a = \"");
    repeat(&t, "abcdefghij", 1000000);
    dg_text_add(&t, "\"\n");
    expect_text(&t, "E004");
    dg_text_add(&t, "config a = ");
    repeat(&t, "1234567890", 1000000);
    dg_text_add(&t, "\n");
    expect_text(&t, "E004");
    dg_text_add(&t, "# ");
    repeat(&t, "abcdefghij", 1000000);
    dg_text_add(&t, "\nconfig a = 1");
    repeat(&t, "          ", 100000);
    dg_text_add(&t, "\n");
    expect_text(&t, "");
    dg_text_add(&t, "config ");
    repeat(&t, "a", 4096);
    dg_text_add(&t, " = \"");
    repeat(&t, "b", 65536);
    dg_text_add(&t, "\"\n");
    expect_text(&t, "");
    dg_text_add(&t, "config a = \"");
    repeat(&t, "\\\\{x}", 100000);
    dg_text_add(&t, "\"\n");
    job j = parse_on_small_stack(t.at, t.n);
    assert_string_equal(j.ids, "E004");
    dg_text_free(&t);
    repeat(&t, "0123456789abcde\n", (1 << 20) + 1);
    expect_text(&t, "E001");
}

static void many_of_everything(void **state)
{
    (void)state;
    dg_text t = {0};
    for (int i = 0; i < 100000; i++) dg_text_add(&t, "const c%d = c%d + 1\n", i, i + 1);
    expect_text(&t, "");
    dg_text_add(&t, "const a = [0");
    repeat(&t, ", 1", 200000);
    dg_text_add(&t, "]\n");
    expect_text(&t, "");
    repeat(&t, "# a\n", 100000);
    expect_text(&t, "");
    dg_text_add(&t, "const a = [\n");
    repeat(&t, "1, # a\n", 50000);
    dg_text_add(&t, "]\n");
    expect_text(&t, "");
    repeat(&t, ";", 100000);
    expect_text(&t, "");
    repeat(&t, "\r\n", 100000);
    expect_text(&t, "");
    repeat(&t, "config = 1\n", 10000);
    expect_text(&t, "E003 E003 E003 E003 E003 E003 E003 E003");
    dg_text_add(&t, "block f() { "); /* one line */
    repeat(&t, "y = 1; if y { y = 2 }; ", 100000);
    dg_text_add(&t, "}");
    expect_text(&t, "");
    dg_text_add(&t, "block f() {\n");
    repeat(&t, "y = (1\n", 10000);
    job j = parse_on_small_stack(t.at, t.n);
    assert_int_equal(j.errors, 8);
    dg_text_free(&t);
}

static void numbers(void **state)
{
    (void)state;
    BYTES("const a = 9223372036854775807\n", "");
    BYTES("const a = 9223372036854775808\n", "E004");
    BYTES("const a = 1e308\n", "");
    BYTES("const a = 1e999999999\n", "E004");
    BYTES("const a = 1e-999999999\n", "");
    BYTES("const a = 0x10\n", "E002");
    BYTES("const a = 1e\n", "E002");
    BYTES("const a = 1.\n", "E002");
    BYTES("const a = .5\n", "E002");
    BYTES("const a = 1.5.2\n", "E002");
    BYTES("const a = 1..2\n", "");
}

static void ends_anywhere(void **state)
{
    (void)state;
    static const char text[] =
        "import \"a.dg\"\n## doc\nconfig a : int = 1\nblock f(x: f32[B, ...], k = \"a{1 + 2}b{{\", "
        "g: fn = fn(y) => y) -> (f32, [int]) {\n"
        "  param w@\"a.{k}\" : f32[_, B // 2] = 0\n  if not a == 1 { (u, v) = g@l(x[1:, ::2, _]) } "
        "else if b { return 1e-4 } else { p := -x ** 2 }\n"
        "  loop (i, j) in [(i, 1) for i in 0..3 if i > 1] { x = if a then f32(x) else remat f(x, "
        "k=1,) } # c\n  assert a, \"b\"\n}\n"
        "test \"t\" { assert true }\n";
    for (size_t n = 0; n < sizeof text; n++) {
        job j = parse_on_small_stack(text, n); /* cut: at most the few messages of one open thing */
        assert_true(j.errors <= 2);
    }
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        char changed[sizeof text];
        for (const char *c = "(){}[]\",;\n#=@:.$"; *c; c++) {
            memcpy(changed, text, sizeof text);
            changed[i] = *c;
            job j = parse_on_small_stack(changed, sizeof text - 1);
            assert_true(j.errors <= 8);
        }
    }
    expect(text, sizeof text - 1, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_text), cmocka_unit_test(brackets),
        cmocka_unit_test(prefixes_and_chains),    cmocka_unit_test(long_tokens),
        cmocka_unit_test(many_of_everything),     cmocka_unit_test(numbers),
        cmocka_unit_test(ends_anywhere),          cmocka_unit_test(as_deep_as_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
