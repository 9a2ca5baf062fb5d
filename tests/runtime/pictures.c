/* tests/runtime/pictures.c: what tensors look like, byte for byte; lines of logs and metrics. */
#include "runtime/chart.h"
#include "runtime/data/png_read.h"
#include "runtime/image.h"
#include "runtime/log.h"
#include "tests/support/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dg_arena *arena;
static dg_diag *diag;

static int setup(void **state)
{
    arena = dg_arena_new();
    diag = dg_diag_new(arena, NULL);
    return temp_enter(state);
}

static int teardown(void **state)
{
    dg_arena_free(arena);
    return temp_leave(state);
}

static void looks(void **state)
{
    (void)state;
    static const struct {
        dg_type type;
        dg_look look;
    } cases[] = {{{DG_F32, {4, {2, 1, 8, 8}}}, DG_LOOK_IMAGES},
                 {{DG_F64, {4, {2, 3, 8, 8}}}, DG_LOOK_IMAGES},
                 {{DG_F32, {4, {2, 4, 8, 8}}}, DG_LOOK_NONE},
                 {{DG_F32, {2, {9, 2}}}, DG_LOOK_POINTS},
                 {{DG_F32, {2, {9, 20}}}, DG_LOOK_ROWS},
                 {{DG_I32, {2, {9, 2}}}, DG_LOOK_NONE},
                 {{DG_F32, {0, {0}}}, DG_LOOK_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(dg_look_of(&cases[i].type), cases[i].look);
    assert_int_equal(dg_grid_columns(1), 1);
    assert_int_equal(dg_grid_columns(16), 4);
    assert_int_equal(dg_grid_columns(17), 5);
}

/* -1 is black, 1 white, 0 rounds up to 128; beyond is cut, not-a-number is black. */
static void values_to_bytes(void **state)
{
    (void)state;
    float x[6] = {-1, 1, 0, 7, -7, NAN};
    dg_type t = {DG_F32, {4, {1, 1, 2, 3}}};
    static const uint8_t want[6] = {0, 255, 128, 255, 0, 0};
    static const double range[2] = {-1, 1};
    dg_picture p;
    assert_true(dg_picture_make(diag, &t, x, range, 0, &p));
    assert_int_equal(p.width, 3);
    assert_int_equal(p.height, 2);
    assert_memory_equal(p.pixels, want, 6);
    dg_picture_free(&p);
}

static void grids(void **state)
{
    (void)state;
    float x[3 * 3 * 4];
    for (int i = 0; i < 36; i++) x[i] = (float)(i / 12);
    dg_type t = {DG_F32, {4, {3, 3, 2, 2}}};
    static const double range[2] = {0, 2};
    dg_png back;
    assert_true(dg_image_write(diag, "g.png", &t, x, range, 2, NULL));
    assert_true(dg_png_read(diag, arena, "g.png", 3, &back));
    assert_int_equal(back.width, 5); /* two of 2 with a gap of 1 */
    assert_int_equal(back.height, 5);
    assert_int_equal(back.pixels[0], 0);
    assert_int_equal(back.pixels[3 * 2], 64); /* the gap */
    assert_int_equal(back.pixels[3 * 3], 128);
    assert_int_equal(back.pixels[3 * (3 * 5)], 255);
    assert_int_equal(back.pixels[3 * (3 * 5 + 3)], 64); /* an empty place */
    free(back.pixels);
}

static void points_and_rows(void **state)
{
    (void)state;
    float x[4] = {0.5F, 0.5F, -0.5F, NAN};
    dg_type t = {DG_F32, {2, {2, 2}}};
    static const double range[2] = {-1, 1};
    dg_picture p;
    assert_true(dg_picture_make(diag, &t, x, range, 0, &p));
    int dark = 0;
    for (int64_t i = 0; i < p.width * p.height; i++) dark += p.pixels[3 * i] == 20;
    assert_int_equal(dark, 1); /* up and to the right of the middle */
    int64_t at = (int64_t)((1.0 - 0.5 / 1.1) * 256) * p.width + (int64_t)((1.0 + 0.5 / 1.1) * 256);
    assert_int_equal(p.pixels[3 * at], 20);
    dg_picture_free(&p);
    float bits[6] = {0, 1, 0, 1, 0, 1};
    dg_type rows = {DG_F32, {2, {2, 3}}};
    assert_true(dg_picture_make(diag, &rows, bits, range, 0, &p));
    assert_int_equal(p.width, 32);
    assert_int_equal(p.height, 21);
    assert_int_equal(p.pixels[0], 0);
    assert_int_equal(p.pixels[11], 255);
    dg_picture_free(&p);
}

static void no_picture(void **state)
{
    (void)state;
    float x[8] = {0};
    dg_type t = {DG_F32, {3, {2, 2, 2}}};
    assert_false(dg_image_write(diag, "n.png", &t, x, NULL, 0, NULL));
    expect_message(diag, "E505", "n.png", "has no picture");
}

/* Two writings of the same are the same bytes: no clock, no name inside. */
static void same_bytes(void **state)
{
    (void)state;
    float x[300];
    for (int i = 0; i < 300; i++) x[i] = (float)(i % 17) / 8.0F - 1.0F;
    dg_type t = {DG_F32, {4, {3, 1, 10, 10}}};
    size_t n, m;
    assert_true(dg_image_write(diag, "a.png", &t, x, NULL, 0, NULL));
    assert_true(dg_image_write(diag, "b.png", &t, x, NULL, 0, NULL));
    char *a = temp_read("a.png", &n), *b = temp_read("b.png", &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

static bool read_text(const char *path, dg_png_text *text)
{
    size_t n;
    char *bytes = temp_read(path, &n);
    bool ok = dg_png_text_read(diag, arena, path, (const uint8_t *)bytes, n, text);
    free(bytes);
    return ok;
}

/* Pairs come back in order, ASCII or not; the pixels do not change. */
static void text_of_pictures(void **state)
{
    (void)state;
    float x[64] = {0};
    dg_type t = {DG_F32, {4, {1, 1, 8, 8}}};
    dg_png_text text = {0}, back;
    dg_png_text_add(arena, &text, "Software", "a program");
    dg_png_text_add(arena, &text, "two lines", "one\ntwo");
    dg_png_text_add(arena, &text, "path", "größe/Ω.png");
    assert_true(dg_image_write(diag, "t.png", &t, x, NULL, 0, &text));
    assert_true(read_text("t.png", &back));
    assert_int_equal(back.n, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(back.at[i].key, text.at[i].key);
        assert_string_equal(back.at[i].value, text.at[i].value);
    }
    assert_null(dg_png_text_get(&back, "lines"));
    dg_png png;
    assert_true(dg_png_read(diag, arena, "t.png", 1, &png));
    assert_int_equal(png.pixels[0], 128);
    free(png.pixels);
}

/* Cut anywhere, or with any byte changed, a picture is refused or says the same text. */
static void damaged_text(void **state)
{
    (void)state;
    float x[64] = {0};
    dg_type t = {DG_F32, {4, {1, 1, 8, 8}}};
    dg_png_text text = {0}, back;
    dg_png_text_add(arena, &text, "key", "a value");
    dg_png_text_add(arena, &text, "schlüssel", "größe");
    assert_true(dg_image_write(diag, "t.png", &t, x, NULL, 0, &text));
    size_t n;
    char *bytes = temp_read("t.png", &n);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *part = malloc(cut + 1); /* of its own, so that reading beyond it is seen */
        memcpy(part, bytes, cut);
        assert_false(dg_png_text_read(diag, arena, "t.png", part, cut, &back));
        assert_string_equal(dg_diag_at(diag, 0)->id, "E445");
        dg_diag_clear(diag);
        free(part);
    }
    for (size_t i = 0; i < n; i++) {
        bytes[i] ^= 0x11;
        assert_false(dg_png_text_read(diag, arena, "t.png", (uint8_t *)bytes, n, &back));
        dg_diag_clear(diag);
        bytes[i] ^= 0x11;
    }
    free(bytes);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (; (text = strstr(text, what)) != NULL; text++) n++;
    return n;
}

/* Ticks at round numbers, a line that breaks where a number is missing, names escaped. */
static void charts(void **state)
{
    (void)state;
    double x[5] = {0, 1, 2, 3, 4}, y[5] = {0.1, 0.9, NAN, 0.3, 0.2}, flat[5] = {7, 7, 7, 7, 7};
    dg_panel panels[2] = {{"a < b & \"c\"", "x", "y", x, y, 5}, {"flat", "x", "y", x, flat, 5}};
    dg_text one = {0}, two = {0}, none = {0};
    dg_chart_svg(&one, "title", panels, 2);
    dg_chart_svg(&two, "title", panels, 2);
    assert_string_equal(one.at, two.at);
    assert_non_null(strstr(one.at, ">a &lt; b &amp; &quot;c&quot;</text>"));
    assert_int_equal(count(one.at, "<circle"), 9);
    assert_int_equal(count(one.at, "class=\"line\" d=\"M0.00 216.00L75.00 24.00M225.00 "), 1);
    static const char *const ticks[] = {">0.2<", ">0.4<", ">0.6<", ">0.8<", ">1<"};
    for (int i = 0; i < 5; i++) assert_non_null(strstr(one.at, ticks[i]));
    assert_null(strstr(one.at, "nan"));
    assert_null(strstr(one.at, "inf"));
    dg_panel empty = {"empty", "x", "y", NULL, NULL, 0};
    dg_chart_svg(&none, "title", &empty, 1);
    assert_non_null(strstr(none.at, "</svg>"));
    dg_text_free(&one);
    dg_text_free(&two);
    dg_text_free(&none);
}

static void metrics_are_cut(void **state)
{
    (void)state;
    static const char text[] =
        "{\"step\":10,\"loss\":1.0}\n{\"step\":20,\"eval\":{}}\n"
        "{\"step\":20,\"loss\":0.5}\n{\"step\":30,\"loss\":0.2}\n{\"step\":40,\"lo";
    int64_t evaluated;
    size_t n;
    temp_write("m.jsonl", text, sizeof text - 1);
    assert_true(dg_metrics_cut(diag, "m.jsonl", 20, &evaluated));
    assert_int_equal(evaluated, 20);
    dg_log log;
    assert_true(dg_log_open(diag, "m.jsonl", &log));
    assert_true(dg_log_line(diag, &log, "{\"step\":21}", 11));
    dg_log_close(&log);
    char *back = temp_read("m.jsonl", &n);
    assert_string_equal(back, "{\"step\":10,\"loss\":1.0}\n{\"step\":20,\"eval\":{}}\n"
                              "{\"step\":20,\"loss\":0.5}\n{\"step\":21}\n");
    free(back);
    assert_true(dg_metrics_cut(diag, "missing.jsonl", 20, &evaluated));
    assert_int_equal(evaluated, -1);
    assert_false(dg_log_open(diag, "no/such/folder", &log));
    expect_message(diag, "E505", "no/such/folder", "cannot be opened");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks),           cmocka_unit_test(values_to_bytes),
        cmocka_unit_test(grids),           cmocka_unit_test(points_and_rows),
        cmocka_unit_test(no_picture),      cmocka_unit_test(same_bytes),
        cmocka_unit_test(metrics_are_cut), cmocka_unit_test(text_of_pictures),
        cmocka_unit_test(damaged_text),    cmocka_unit_test(charts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
