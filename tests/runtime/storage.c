/* tests/runtime/storage.c: safetensors and checkpoints: right ones read back to the bit, hostile
 * ones are refused with their offset, interrupted saves leave the checkpoint before. */
#include "compiler/base/os.h"
#include "runtime/checkpoint.h"
#include "runtime/safetensors.h"
#include "tests/support/temp.h"

#include <dg/dg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- safetensors ---- */

/* Header length, header, data; the arena's. */
static uint8_t *file_of(const char *header, size_t data, size_t *n)
{
    size_t length = strlen(header);
    uint8_t *b = dg_arena_alloc(arena, 8 + length + data);
    for (int i = 0; i < 8; i++) b[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(b + 8, header, length);
    for (size_t i = 0; i < data; i++) b[8 + length + i] = (uint8_t)i;
    *n = 8 + length + data;
    return b;
}

static bool parses(const char *header, size_t data, dg_st_file *f)
{
    size_t n;
    uint8_t *b = file_of(header, data, &n);
    memset(f, 0, sizeof *f);
    return dg_st_parse(diag, arena, "w.safetensors", b, n, f);
}

static void unusual_but_right(void **state)
{
    (void)state;
    dg_st_file f;
    assert_true(parses("{}", 0, &f));
    assert_int_equal(f.n, 0);
    /* unaligned, of rank 0, empty, in any order, padded */
    assert_true(parses("{\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[1,5]},"
                       "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                       "\"e\":{\"dtype\":\"F64\",\"shape\":[0,4],\"data_offsets\":[5,5]},"
                       "\"__metadata__\":{\"k\":\"v\"}}   ",
                       5, &f));
    assert_int_equal(f.n, 3);
    assert_string_equal(f.tensors[0].name, "a");
    assert_string_equal(dg_st_meta(&f, "k"), "v");
    const dg_st_tensor *b = dg_st_find(&f, "b");
    float want, got;
    int64_t bad;
    memcpy(&want, (uint8_t[]){1, 2, 3, 4}, 4);
    assert_true(dg_st_convert(b, DG_F32, &got, &bad));
    assert_memory_equal(&want, &got, 4);
}

static void conversions(void **state)
{
    (void)state;
    uint16_t half[4] = {0x3C00, 0xC000, 0x0001, 0x7C00}, brain[2] = {0x3F80, 0xC000};
    int64_t wide[2] = {7, (int64_t)1 << 40}, bad = 0;
    float f[4];
    int32_t i[2];
    dg_st_tensor t = {
        .dtype = DG_ST_F16, .shape = DG_SHAPE(4), .data = (uint8_t *)half, .bytes = 8};
    assert_true(dg_st_convert(&t, DG_F32, f, &bad));
    assert_true(f[0] == 1.0F && f[1] == -2.0F && f[2] == 0x1p-24F && f[3] == __builtin_inff());
    t = (dg_st_tensor){
        .dtype = DG_ST_BF16, .shape = DG_SHAPE(2), .data = (uint8_t *)brain, .bytes = 4};
    assert_true(dg_st_convert(&t, DG_F32, f, &bad));
    assert_true(f[0] == 1.0F && f[1] == -2.0F);
    t = (dg_st_tensor){
        .dtype = DG_ST_I64, .shape = DG_SHAPE(2), .data = (uint8_t *)wide, .bytes = 16};
    assert_false(dg_st_convert(&t, DG_I32, i, &bad));
}

#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
static const struct {
    const char *header;
    size_t data;
    const char *id;
} hostile[] = {
    {"", 0, "E412"},
    {"[]", 0, "E412"},
    {"null", 0, "E412"},
    {" x", 0, "E412"},
    {"{\"a\":1}", 0, "E413"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") "} x", 4, "E412"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"a\":" T("F32", "[1]", "[0,4]") "}", 4, "E412"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"\\u0061\":" T("F32", "[1]", "[0,4]") "}", 4, "E412"},
    {"{\"a\":" T("F32", "[-1]", "[0,4]") "}", 4, "E413"},
    {"{\"a\":" T("F32", "[-1,-1]", "[0,4]") "}", 4, "E413"},
    {"{\"a\":" T("F32", "[1.5]", "[0,4]") "}", 4, "E413"},
    {"{\"a\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "E413"},
    {"{\"a\":" T("F32", "[4611686018427387905,4]", "[0,16]") "}", 16, "E413"},
    {"{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "E413"},
    {"{\"a\":" T("F32", "{}", "[0,4]") "}", 4, "E413"},
    {"{\"a\":" T("F8", "[4]", "[0,4]") "}", 4, "E416"},
    {"{\"a\":" T("F32", "[1]", "[0,8]") "}", 8, "E415"},
    {"{\"a\":" T("F32", "[2]", "[0,4]") "}", 4, "E415"},
    {"{\"a\":" T("F32", "[1]", "[4,0]") "}", 4, "E414"},
    {"{\"a\":" T("F32", "[1]", "[-4,0]") "}", 4, "E414"},
    {"{\"a\":" T("F32", "[1]", "[0,4,8]") "}", 8, "E414"},
    {"{\"a\":" T("F32", "[1]", "[0.0,4]") "}", 4, "E414"},
    {"{\"a\":" T("F32", "[1]", "[0,400]") "}", 4, "E414"},
    {"{\"a\":" T("F32", "[1]", "[18446744073709551616,18446744073709551620]") "}", 4, "E412"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "E413"},
    {"{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[4]", "[2,6]") "}", 6, "E417"},
    {"{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[4]", "[0,4]") "}", 4, "E417"},
    {"{\"a\":" T("U8", "[4]", "[1,5]") "}", 5, "E417"},
    {"{\"a\":" T("U8", "[2]", "[0,2]") ",\"b\":" T("U8", "[2]", "[3,5]") "}", 5, "E417"},
    {"{\"a\":" T("U8", "[2]", "[0,2]") "}", 3, "E417"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "E413"},
    {"{\"__metadata__\":[]}", 0, "E413"},
    {"{\"a\\u0000b\":" T("U8", "[1]", "[0,1]") "}", 1, "E412"},
    {"{\"\xff\":" T("U8", "[1]", "[0,1]") "}", 1, "E412"},
};
#undef T

static void hostile_headers(void **state)
{
    (void)state;
    dg_st_file f;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        if (parses(hostile[i].header, hostile[i].data, &f))
            fail_msg("accepted: %s", hostile[i].header);
        expect_message(diag, hostile[i].id, "w.safetensors@", "");
    }
}

static void hostile_lengths(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {1, 100, (uint64_t)1 << 32, (uint64_t)1 << 63, UINT64_MAX};
    dg_st_file f;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t b[10] = {0};
        memcpy(b, &lengths[i], 8);
        b[8] = '{';
        b[9] = '}';
        memset(&f, 0, sizeof f);
        assert_false(dg_st_parse(diag, arena, "w.safetensors", b, sizeof b, &f));
        expect_message(diag, "E412", "w.safetensors@", "");
    }
    for (size_t n = 0; n < 8; n++) {
        assert_false(
            dg_st_parse(diag, arena, "w.safetensors", (const uint8_t *)"\0\0\0\0\0\0\0", n, &f));
        expect_message(diag, "E412", "w.safetensors@", "");
    }
    assert_false(dg_st_parse(diag, arena, "m.pt", (const uint8_t *)"PK\3\4________", 12, &f));
    expect_message(diag, "E410", "m.pt@0", "never reads it");
    assert_false(dg_st_parse(diag, arena, "m.pt", (const uint8_t *)"\x80\2}q________", 12, &f));
    expect_message(diag, "E410", "m.pt@0", "never reads it");
    assert_false(dg_st_parse(diag, arena, "m.gguf", (const uint8_t *)"GGUF________", 12, &f));
    expect_message(diag, "E411", "m.gguf@0", "GGUF");
}

/* ---- checkpoints ---- */

static int warnings;
static char last_id[8];

static void on_message(void *user, const dg_report *r)
{
    (void)user;
    snprintf(last_id, sizeof last_id, "%s", r->id);
    warnings += !r->error;
}

static dg_context *context(void)
{
    dg_options o = {.threads = 1, .message = on_message};
    dg_context *c = dg_context_new(&o);
    assert_non_null(c);
    return c;
}

static void fill(dg_store *s, const char *path, bool trained, float first)
{
    dg_tensor *t = dg_store_find(s, path);
    if (!t) t = dg_store_add(s, diag, path, (dg_type){DG_F32, DG_SHAPE(3)}, trained);
    for (int i = 0; i < 3; i++) ((float *)t->data)[i] = first + (float)i;
    t->filled = true;
}

static float first_of(dg_store *s, const char *path)
{
    const float *data = dg_store_data(s, path);
    assert_non_null(data);
    return data[0];
}

static void save_step(dg_store *s, int64_t step, int keep)
{
    dg_checkpoint_facts f = {.seed = 42,
                             .plan_hash = 0xabcdef,
                             .isa = "avx2",
                             .blas_core = "Haswell",
                             .build = "b",
                             .extra = "{\"x\":1}"};
    s->step = step;
    fill(s, "net.w", true, (float)step);
    fill(s, "ema.net.w", false, (float)step / 2.0F);
    assert_true(dg_checkpoint_save(s, diag, "run", &f, keep, 30));
}

static void round_trip_and_pruning(void **state)
{
    (void)state;
    dg_context *c = context();
    dg_store *s = dg_store_new(c), *back = dg_store_new(c);
    for (int64_t step = 10; step <= 60; step += 10) save_step(s, step, 2);
    char **names;
    size_t n;
    assert_true(dg_folder_list(diag, arena, "run/checkpoints", &names, &n));
    assert_int_equal(n, 4); /* latest, 30, 50, 60 */
    assert_string_equal(names[1], "step-0000030");
    dg_checkpoint_facts f;
    assert_true(dg_checkpoint_load(back, diag, "run", -1, &f));
    assert_int_equal(back->step, 60);
    assert_true(first_of(back, "net.w") == 60.0F && first_of(back, "ema.net.w") == 30.0F);
    assert_true(dg_store_find(back, "net.w")->trained &&
                !dg_store_find(back, "ema.net.w")->trained);
    assert_true(f.seed == 42 && f.plan_hash == 0xabcdef);
    assert_string_equal(f.isa, "avx2");
    assert_string_equal(f.extra, "{\"x\":1}");
    assert_true(dg_checkpoint_load(back, diag, "run", 30, &f));
    assert_true(first_of(back, "net.w") == 30.0F);
    assert_false(dg_checkpoint_load(back, diag, "run", 40, &f));
    expect_message(diag, "E501", "run", "no checkpoint of step 40");
    /* The same state is the same bytes. */
    size_t a_n, b_n;
    char *a = temp_read("run/checkpoints/step-0000060/state.safetensors", &a_n);
    save_step(s, 60, 2);
    char *b = temp_read("run/checkpoints/step-0000060/state.safetensors", &b_n);
    assert_int_equal(a_n, b_n);
    assert_memory_equal(a, b, a_n);
    free(a);
    free(b);
    /* In a scope only. */
    dg_store *part = dg_store_new(c);
    assert_int_equal(dg_store_load(part, "run", "net"), DG_OK);
    assert_non_null(dg_store_data(part, "net.w"));
    assert_null(dg_store_data(part, "ema.net.w"));
    dg_store_free(part);
    dg_store_free(back);
    dg_store_free(s);
    dg_context_free(c);
}

/* A damaged newest one falls back, and says so; with nothing behind it, it is an error. */
static void damage(void **state)
{
    (void)state;
    size_t n;
    dg_context *c = context();
    dg_store *s = dg_store_new(c);
    save_step(s, 60, 2);
    char *b = temp_read("run/checkpoints/step-0000060/weights.safetensors", &n);
    b[n - 1] = (char)(b[n - 1] ^ 1);
    temp_write("run/checkpoints/step-0000060/weights.safetensors", b, n);
    free(b);
    assert_true(dg_checkpoint_load(s, diag, "run", -1, NULL));
    expect_message(diag, "W431", "step-0000060", "step-0000050");
    assert_int_equal(s->step, 50);
    assert_false(dg_checkpoint_load(s, diag, "run", 60, NULL));
    expect_message(diag, "E431", "step-0000060/weights.safetensors@0", "damaged");
    /* Every prefix of a save, as a crash would leave it: the checkpoint before is used in silence.
     */
    save_step(s, 70, 3);
    static const char *const order[] = {"manifest.json", "state.safetensors",
                                        "weights.safetensors"};
    for (int i = 0; i < 3; i++) {
        unlink(dg_path_join(arena, "run/checkpoints/step-0000070", order[i]));
        assert_true(dg_checkpoint_load(s, diag, "run", -1, NULL));
        assert_int_equal(s->step, 50);
        if (dg_diag_count(diag))
            assert_string_equal(dg_diag_at(diag, 0)->id, "W431"); /* of step 60 */
        dg_diag_clear(diag);
    }
    temp_write("run/checkpoints/step-0000050/manifest.json", "{}", 2);
    temp_write("run/checkpoints/step-0000030/manifest.json", "{\"format\": 2}", 13);
    assert_false(dg_checkpoint_load(s, diag, "run", 30, NULL));
    expect_message(diag, "E432", "step-0000030", "format 2, this dg reads 1");
    assert_false(dg_checkpoint_load(s, diag, "run", -1, NULL));
    assert_true(dg_diag_count(diag) >= 1);
    dg_diag_clear(diag);
    mkdir("empty", 0777);
    mkdir("empty/checkpoints", 0777);
    assert_false(dg_checkpoint_load(s, diag, "empty", -1, NULL));
    expect_message(diag, "E433", "empty", "no whole checkpoint");
    dg_store_free(s);
    dg_context_free(c);
}

static void shapes_must_agree(void **state)
{
    (void)state;
    dg_context *c = context();
    dg_store *s = dg_store_new(c), *other = dg_store_new(c);
    fill(s, "net.w", true, 1.0F);
    assert_int_equal(dg_store_save(s, "w.safetensors"), DG_OK);
    dg_store_add(other, diag, "net.w", (dg_type){DG_F32, DG_SHAPE(4)}, true);
    assert_int_equal(dg_store_load(other, "w.safetensors", NULL), DG_FILE_BAD);
    assert_string_equal(last_id, "E423");
    assert_int_equal(dg_store_load(other, "missing.safetensors", NULL), DG_IO);
    dg_store_free(other);
    dg_store_free(s);
    dg_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unusual_but_right),      cmocka_unit_test(conversions),
        cmocka_unit_test(hostile_headers),        cmocka_unit_test(hostile_lengths),
        cmocka_unit_test(round_trip_and_pruning), cmocka_unit_test(damage),
        cmocka_unit_test(shapes_must_agree),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
