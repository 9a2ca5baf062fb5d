/* parse_format.c: what holds for every text that is formatted: an equal tree, the same comments,
 * the same bytes the second time. On the library, the examples, the texts beside this file, the
 * reference examples where they are, and on texts made of the hardest places for comments and
 * breaks. */
#include "tests/lang/parse_support.h"

static void round_trip(const char *path, const char *text, size_t n)
{
    parsed p = parse_bytes(path, text, n);
    bool ok = p.tree->ok;
    parsed_free(&p);
    if (ok || strstr(path, "tests/lang/parse") == NULL) check_round_trip(path, text, n);
}

static void own_files(void **state)
{
    (void)state;
    assert_true(each_dg_file("graphs", round_trip) > 0);
    assert_true(each_dg_file("examples", round_trip) > 0);
    assert_true(each_dg_file("tests/lang/parse", round_trip) > 0);
}

static void reference_files(void **state)
{
    (void)state;
    const char *shared = getenv("DG_SHARED_DIR");
    char folder[512];
    snprintf(folder, sizeof folder, "%s/reference/dg", shared ? shared : "../shared");
    if (!dg_path_is_folder(folder)) {
        print_message("no %s here: set DG_SHARED_DIR\n", folder);
        skip();
    }
    assert_true(each_dg_file(folder, round_trip) > 0);
}

static void check(const char *text)
{
    check_round_trip("text.dg", text, strlen(text));
}

/* A comment behind each token at which a newline is no end of a statement. */
static void comments_anywhere(void **state)
{
    (void)state;
    static const char *const tokens[] = {
        "block f(", "x",
        ":",        "f32[",
        "B",        ",",
        "...",      "]",
        ",",        "k",
        "=",        "3",
        ") ->",     "f32[",
        "B",        "] {\n  y",
        "=",        "g@\"a{k}\"(",
        "x",        ",",
        "a",        "=",
        "[",        "1",
        ",",        "2",
        "],",       "b",
        "=",        "fn(",
        "u",        ",",
        "v",        ") =>",
        "u",        "+",
        "v",        ") + ((",
        "x",        ") *",
        "-(",       "x",
        "))",       "[",
        "1",        ":",
        ",",        "_",
        ",",        "...",
        "]\n  z",   "=",
        "if (",     "k",
        "==",       "1",
        ") then",   "[",
        "i",        "for i in",
        "0",        "..",
        "k",        "if",
        "i",        ">",
        "1",        "]",
        "else",     "(",
        "1",        ",",
        "2",        ")\n  assert (",
        "k",        "> 0",
        "),",       "\"why\"\n  return",
        "(",        "y",
        ")\n}\n",
    };
    enum { N = sizeof tokens / sizeof *tokens };
    int tried = 0;
    for (int alone = 0; alone < 2; alone++) {
        for (int at = 0; at < N - 1; at++) {
            dg_text text = {0};
            for (int i = 0; i < N; i++) {
                dg_text_add(&text, "%s ", tokens[i]);
                if (i == at) dg_text_add(&text, alone ? "\n # note\n" : "# note\n");
            }
            parsed p = parse_bytes("text.dg", text.at, text.n);
            bool ok =
                p.tree->ok; /* elsewhere the newline ends the statement, which is an error here */
            parsed_free(&p);
            if (ok) {
                check(text.at);
                tried++;
            }
            dg_text_free(&text);
        }
    }
    assert_true(tried > 100);
}

/* The same statement at every width, so that each possible break is the one that is taken. */
static void every_width(void **state)
{
    (void)state;
    for (int n = 1; n < 110; n++) {
        dg_text text = {0};
        dg_text_add(&text, "block f(%.*s, b: f32[B, ...], c: fn = fn(x) => x + 1) -> f32 {\n", n,
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        dg_text_add(&text,
                    "  %.*s = g(a + b * c, [i * i for i in 0..10 if i > 3], fn(x, y) => if x == y "
                    "then x else y)[1:, _] ** 2\n",
                    n,
                    "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
                    "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
        dg_text_add(&text,
                    "  if a { b = %d; c = g@\"l{%.*s}\"(b) } else if d { e = 2 } else { f = not a "
                    "and b or c }\n  return b\n}\n",
                    n, n,
                    "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
                    "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
        check(text.at);
        dg_text_free(&text);
    }
}

static void layout_is_kept(void **state)
{
    (void)state;
    static const char *const canonical[] = {
        "",
        "# alone\n",
        "config a = 1\n\n# in between\n\nconfig b = 2  # behind\n",
        "block f(x) { return x }\n",
        "block f(x) {\n  return x\n}\n",
        "block f(x) {  # head\n  # above\n  y = x  # behind\n\n  return y\n  # below\n}  # after\n",
        "block f(x) {\n  if x { y = 1 } else { y = 2 }\n  return y\n}\n",
        "block f(x) {\n  if x {\n    y = 1\n  } else if z {\n    y = 3\n  } else {\n    y = 2\n  "
        "}\n  return y\n}\n",
        "block f() { }\n",
        "test \"a \\\"quoted\\\" \\\\ {{brace} \\t\\n\" { assert a == b, \"{a} and {b[\"k\"]}\" "
        "}\n",
    };
    for (size_t i = 0; i < sizeof canonical / sizeof *canonical; i++) {
        parsed p = parse_bytes("text.dg", canonical[i], strlen(canonical[i]));
        assert_string_equal(messages(&p), "");
        assert_string_equal(formatted(&p), canonical[i]);
        parsed_free(&p);
        check(canonical[i]);
    }
}

static void carriage_returns_go(void **state)
{
    (void)state;
    static const char text[] = "config a = 1  # one\r\n\r\n\r\nblock f(x) {\r\n\treturn x\r\n}\r\n";
    parsed p = parse_bytes("text.dg", text, strlen(text));
    assert_string_equal(formatted(&p), "config a = 1  # one\n\nblock f(x) {\n  return x\n}\n");
    parsed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_files),         cmocka_unit_test(reference_files),
        cmocka_unit_test(comments_anywhere), cmocka_unit_test(every_width),
        cmocka_unit_test(layout_is_kept),    cmocka_unit_test(carriage_returns_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
