/* tests/runtime/readers.c: IDX, NumPy arrays and PNG folders: right files give the right numbers,
 * damaged and hostile ones one message with a byte offset. */
#include "compiler/base/os.h"
#include "runtime/data/dataset.h"
#include "runtime/data/npy.h"
#include "runtime/data/png_read.h"
#include "runtime/image.h"
#include "tests/support/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static dg_arena *arena;
static dg_diag *diag;

static int setup(void **state)
{
    arena = dg_arena_new();
    diag = dg_diag_new(arena, dg_sources_new(arena));
    return temp_enter(state);
}

static int teardown(void **state)
{
    dg_arena_free(arena);
    return temp_leave(state);
}

static dg_dataset *open_path(const char *path)
{
    dg_data_spec s = {.kind = "auto", .path = path, .range = {0, 255}, .train_part = 1};
    return dg_dataset_open(diag, arena, &s, 1);
}

static void refused(const char *path, const char *id, const char *place, const char *what)
{
    dg_dataset *d = open_path(path);
    if (d) fail_msg("accepted: %s", path);
    expect_message(diag, id, place, what);
}

/* ---- IDX ---- */

static void put_gzip(const char *path, const void *bytes, size_t n)
{
    gzFile f = gzopen(path, "wb");
    assert_int_equal(gzwrite(f, bytes, (unsigned)n), n);
    assert_int_equal(gzclose(f), Z_OK);
}

/* 3 images of 2 x 2 and their labels. */
static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2,  0,  0,
                                 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1};

static void check_three(dg_dataset *d)
{
    assert_non_null(d);
    assert_string_equal(d->kind, "idx");
    assert_int_equal(d->reader.count, 3);
    assert_int_equal(d->classes, 3);
    float x[12];
    int32_t y[3];
    dg_dataset_batch(d, DG_PART_ALL, 0, 0, 3, x, y);
    for (int i = 0; i < 12; i++) assert_true(x[i] > (float)i + 0.99F && x[i] < (float)i + 1.01F);
    assert_int_equal(y[0], 2);
    assert_int_equal(y[2], 1);
    dg_dataset_close(d);
}

static void idx_good(void **state)
{
    (void)state;
    mkdir("idx", 0777);
    temp_write("idx/train-images-idx3-ubyte", images, sizeof images);
    temp_write("idx/train-labels-idx1-ubyte", labels, sizeof labels);
    check_three(open_path("idx"));
    check_three(open_path("idx/train-images-idx3-ubyte"));
    mkdir("gz", 0777);
    put_gzip("gz/train-images-idx3-ubyte.gz", images, sizeof images);
    put_gzip("gz/train-labels-idx1-ubyte.gz", labels, sizeof labels);
    check_three(open_path("gz"));
    /* labels packed otherwise than the images */
    temp_write("gz/train-labels-idx1-ubyte", labels, sizeof labels);
    remove("gz/train-labels-idx1-ubyte.gz");
    check_three(open_path("gz"));
}

static void idx_damaged(void **state)
{
    (void)state;
    uint8_t b[sizeof images + 1];
    memcpy(b, images, sizeof images);
    temp_write("a-idx3-ubyte", images, sizeof images - 5);
    refused("a-idx3-ubyte", "E441", "a-idx3-ubyte@16",
            "data ends at byte 23, header promises 28 (3 x 2 x 2)");
    b[sizeof images] = 1;
    temp_write("b-idx3-ubyte", b, sizeof b);
    refused("b-idx3-ubyte", "E441", "@28", "1 bytes follow the last sample");
    temp_write("c-idx3-ubyte", b, 9);
    refused("c-idx3-ubyte", "E441", "@9", "ends inside its header of 16 bytes");
    static const struct {
        size_t at;
        uint8_t value;
        const char *place, *what;
    } changes[] = {{2, 9, "@2", "type 0x09"},
                   {3, 2, "@3", "2 axes"},
                   {3, 255, "@3", "255 axes"},
                   {7, 0, "@4", "axis 0 has size 0"},
                   {8, 255, "@8", "axis 1 of size"}};
    dg_data_spec s = {.kind = "idx", .path = "d", .range = {0, 255}, .train_part = 1};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memcpy(b, images, sizeof images);
        b[changes[i].at] = changes[i].value;
        temp_write("d", b, sizeof images);
        assert_null(dg_dataset_open(diag, arena, &s, 1));
        expect_message(diag, "E441", changes[i].place, changes[i].what);
    }
    temp_write("d", "hello, this is a text", 21);
    assert_null(dg_dataset_open(diag, arena, &s, 1));
    expect_message(diag, "E441", "d@0", "not an IDX file");
    temp_write("d", labels, sizeof labels);
    assert_null(dg_dataset_open(diag, arena, &s, 1));
    expect_message(diag, "E441", "d@3", "labels, not images");
}

static void idx_labels_wrong(void **state)
{
    (void)state;
    mkdir("lab", 0777);
    temp_write("lab/t-images-idx3-ubyte", images, sizeof images);
    uint8_t two[] = {0, 0, 8, 1, 0, 0, 0, 2, 2, 0};
    temp_write("lab/t-labels-idx1-ubyte", two, sizeof two);
    refused("lab", "E444", "t-labels-idx1-ubyte@8", "2 labels for 3 samples");
    temp_write("lab/t-labels-idx1-ubyte", images, sizeof images);
    refused("lab", "E441", "t-labels-idx1-ubyte@3", "3 axes; labels have 1");
}

static void idx_gzip_wrong(void **state)
{
    (void)state;
    size_t n;
    mkdir("z", 0777);
    put_gzip("whole", images, sizeof images);
    char *bytes = temp_read("whole", &n);
    temp_write("z/t-images-idx3-ubyte.gz", bytes,
               n - 9); /* without checksum and part of the data */
    refused("z", "E441", "t-images-idx3-ubyte.gz@", "");
    bytes[n - 6] = (char)(bytes[n - 6] ^ 1); /* the checksum itself */
    temp_write("z/t-images-idx3-ubyte.gz", bytes, n);
    refused("z", "E441", "t-images-idx3-ubyte.gz@", "gzip data");
    free(bytes);
    /* A bomb: 64 MB of zeros behind a header that promises 12 bytes. */
    gzFile f = gzopen("z/t-images-idx3-ubyte.gz", "wb9");
    gzwrite(f, images, sizeof images);
    char *zeros = calloc(1, 1 << 20);
    for (int i = 0; i < 64; i++) gzwrite(f, zeros, 1 << 20);
    gzclose(f);
    free(zeros);
    size_t before = dg_rss_peak_bytes();
    refused("z", "E441", "@28", "bytes follow the last sample");
    assert_true(dg_rss_peak_bytes() - before < 8 << 20);
}

/* ---- NumPy ---- */

static void put_npy(const char *path, const char *header, const void *data, size_t n)
{
    uint8_t b[512] = "\x93NUMPY\x01";
    size_t length = strlen(header);
    b[8] = (uint8_t)length;
    memcpy(b + 10, header, length);
    memcpy(b + 10 + length, data, n);
    temp_write(path, b, 10 + length + n);
}

static void npy_good(void **state)
{
    (void)state;
    float x[6] = {1, 2, 3, 4, 5, 6}, out[2];
    int64_t wide[3] = {0, 2, 1};
    int32_t label;
    put_npy("p.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", x, sizeof x);
    put_npy("p-labels.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", wide,
            sizeof wide);
    dg_dataset *d = open_path("p.npy");
    assert_non_null(d);
    assert_int_equal(d->classes, 3);
    dg_dataset_batch(d, DG_PART_ALL, 0, 1, 1, out, &label);
    assert_true(out[0] == 3.0F && out[1] == 4.0F && label == 2);
    /* Fortran order and big-endian are turned round, never misread. */
    put_npy("f.npy", "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }", x, sizeof x);
    d = open_path("f.npy");
    dg_dataset_batch(d, DG_PART_ALL, 0, 1, 1, out, NULL);
    assert_true(out[0] == 2.0F && out[1] == 5.0F);
    uint8_t big[4] = {0x40, 0x40, 0, 0};
    put_npy("g.npy", "{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1), }", big,
            sizeof big);
    d = open_path("g.npy");
    dg_dataset_batch(d, DG_PART_ALL, 0, 0, 1, out, NULL);
    assert_true(out[0] == 3.0F);
    /* Bytes of rank 3 are grey images. */
    uint8_t grey[8] = {0, 51, 102, 153, 204, 255, 0, 0};
    put_npy("i.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2), }", grey,
            sizeof grey);
    d = open_path("i.npy");
    dg_shape image = DG_SHAPE(1, 2, 2);
    assert_true(d->reader.image && dg_shape_equal(&d->shape, &image));
}

static void npy_hostile(void **state)
{
    (void)state;
    static const struct {
        const char *header, *id, *what;
    } cases[] = {
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "E453",
         "object arrays hold code"},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", "E453", "is not a number"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "E453",
         "structured"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "E452", "no whole number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,), }", "E452", ""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ((1,),), }", "E452", ""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }", "E452",
         ""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "E452",
         ""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (50, 2555555555555555555, 0), }",
         "E452", "more numbers than any file"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (100,), }", "E441",
         "data ends at byte"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "E441", "bytes follow"},
        {"{'descr': '<f4', 'fortran_order': __import__('os'), 'shape': (1,), }", "E450", ""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", "E450",
         "does not know"},
        {"{'descr': '<f4', 'shape': (2,)}", "E450", "lacks"},
        {"nonsense", "E450", "dictionary"},
    };
    float x[2] = {1, 2};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_npy("bad.npy", cases[i].header, x, sizeof x);
        dg_npy out;
        if (dg_npy_read(diag, arena, "bad.npy", &out)) fail_msg("accepted: %s", cases[i].header);
        expect_message(diag, cases[i].id, "bad.npy@", cases[i].what);
    }
    temp_write("bad.npy", "\x93NUMPY\x07\x00\x10\x00", 10);
    dg_npy out;
    assert_false(dg_npy_read(diag, arena, "bad.npy", &out));
    expect_message(diag, "E450", "@6", "version 7");
}

static void npy_round_trip(void **state)
{
    (void)state;
    double x[4] = {1.5, -0.0, 1e300, 3};
    dg_type t = {DG_F64, DG_SHAPE(2, 2)};
    dg_npy back;
    assert_true(dg_npy_write(diag, "r.npy", &t, x));
    assert_true(dg_npy_read(diag, arena, "r.npy", &back));
    assert_true(dg_type_equal(&t, &back.type));
    assert_memory_equal(x, back.data, sizeof x);
}

/* ---- PNG ---- */

/* A picture of one colour, with a brighter left half. */
static void put_png(const char *path, int64_t width, int64_t height, int64_t channels, uint8_t v)
{
    uint8_t *pixels = malloc((size_t)(width * height * channels));
    for (int64_t i = 0; i < width * height * channels; i++)
        pixels[i] = i / channels % width < width / 2 ? (uint8_t)(v + 50) : v;
    dg_picture p = {width, height, channels, pixels};
    assert_true(dg_png_write(diag, path, &p));
    free(pixels);
}

static void folders_of_images(void **state)
{
    (void)state;
    mkdir("f", 0777);
    mkdir("f/cats", 0777);
    mkdir("f/dogs", 0777);
    mkdir("f/empty", 0777);
    put_png("f/cats/a.png", 8, 8, 3, 100);
    put_png("f/cats/b.png", 16, 8, 1, 60); /* cropped to its centre */
    put_png("f/dogs/c.png", 3, 3, 3, 10);  /* scaled up */
    dg_data_spec s = {
        .kind = "auto", .path = "f", .range = {0, 255}, .train_part = 1, .size = DG_SHAPE(3, 4, 4)};
    dg_dataset *d = dg_dataset_open(diag, arena, &s, 1);
    assert_non_null(d);
    assert_int_equal(d->reader.count, 3);
    assert_int_equal(d->classes, 2);
    float x[3 * 48];
    int32_t y[3];
    dg_dataset_batch(d, DG_PART_ALL, 0, 0, 3, x, y);
    assert_int_equal(y[0], 0);
    assert_int_equal(y[1], 0);
    assert_int_equal(y[2], 1);
    assert_true(x[0] == 150.0F && x[3] == 100.0F);
    assert_true(x[48] == 110.0F && x[48 + 3] == 60.0F && x[48 + 32] == 110.0F);
    /* Column 1 of 4 covers pixels 0.75 to 1.5 of 3: a third bright (60), two thirds 10. */
    assert_in_range((int)(x[96 + 1] + 0.5F), 25, 28);
    dg_dataset_close(d);
    put_png("f/loose.png", 4, 4, 3, 1);
    s.size.rank = 0;
    d = dg_dataset_open(diag, arena, &s, 1); /* the first image decides the size */
    assert_int_equal(d->shape.dim[1], 8);
    expect_message(diag, "W442", "f", "1 images");
    dg_dataset_close(d);
    mkdir("none", 0777);
    refused("none", "E442", "none", "holds no PNG images");
}

static void png_damaged(void **state)
{
    (void)state;
    size_t n;
    mkdir("bad", 0777);
    put_png("good.png", 20, 20, 3, 90);
    char *b = temp_read("good.png", &n);
    dg_png out;
    for (size_t cut = 0; cut < n; cut += 3) { /* anywhere but inside the last chunk's checksum */
        temp_write("bad/a.png", b, cut);
        if (dg_png_read(diag, arena, "bad/a.png", 3, &out))
            fail_msg("accepted: cut at %zu of %zu", cut, n);
        expect_message(diag, cut ? "E445" : dg_diag_at(diag, 0)->id, "bad/a.png", "");
    }
    b[40] = (char)(b[40] ^ 4); /* inside the data: the chunk's checksum is wrong */
    temp_write("bad/a.png", b, n);
    assert_false(dg_png_read(diag, arena, "bad/a.png", 3, &out));
    expect_message(diag, "E445", "bad/a.png@", "");
    free(b);
    temp_write("bad/a.png", "GIF89a............", 18);
    refused("bad", "E445", "bad/a.png@", "PNG");
}

/* Headers that promise a million pixels each way, and chunks that declare gigabytes. */
static void png_bombs(void **state)
{
    (void)state;
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10};
    static const uint32_t sides[][2] = {
        {1000000, 1000000}, {16384, 16384}, {0, 5}, {0x80000000U, 1}, {1, 16385}};
    dg_png out;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        uint8_t b[200];
        memcpy(b, signature, 8);
        uint8_t head[25] = {0, 0, 0, 13, 'I', 'H', 'D', 'R'};
        for (int k = 0; k < 8; k++) head[8 + k] = (uint8_t)(sides[i][k / 4] >> (24 - 8 * (k % 4)));
        head[16] = 8;
        head[17] = 2;
        uint32_t crc = (uint32_t)crc32(0, head + 4, 17);
        for (int k = 0; k < 4; k++) head[21 + k] = (uint8_t)(crc >> (24 - 8 * k));
        memcpy(b + 8, head, 25);
        uint8_t text[12] = {0x7f, 0xff, 0xff, 0xff, 't', 'E', 'X', 't', 'a', 0, 'b', 'c'};
        memcpy(b + 33, text, 12);
        temp_write("bomb.png", b, 45);
        size_t before = dg_rss_peak_bytes();
        assert_false(dg_png_read(diag, arena, "bomb.png", 3, &out));
        expect_message(diag, "E445", "bomb.png@", "");
        assert_true(dg_rss_peak_bytes() - before < 13 << 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_good),         cmocka_unit_test(idx_damaged),
        cmocka_unit_test(idx_labels_wrong), cmocka_unit_test(idx_gzip_wrong),
        cmocka_unit_test(npy_good),         cmocka_unit_test(npy_hostile),
        cmocka_unit_test(npy_round_trip),   cmocka_unit_test(folders_of_images),
        cmocka_unit_test(png_damaged),      cmocka_unit_test(png_bombs),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
