/* sketch.c: sketch digits: ten classes of digits drawn with a pen, any number of them.
 *
 * In     (seed, i).
 * Out    a grey image, white on black, and its label i-th drawn. Each digit is a few strokes
 * (lines, cubic curves, arcs of ellipses) in a unit square, in one of several ways people write it;
 *        bent by a smooth random field, put through a random affine map, and drawn by the distance
 *        of each pixel's centre to the nearest stroke.
 * Keeps  a pure function: no state, any thread, any order. */
#include "runtime/data/dataset.h"

#include "compiler/base/os.h"
#include "compiler/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 32, MAX_POINTS = 160 };
static const float PI = 3.14159265358979F;

typedef struct pen { /* points of all strokes; lift[i]: no line from point i - 1 to point i */
    int n;
    float x[MAX_POINTS], y[MAX_POINTS];
    bool lift[MAX_POINTS];
} pen;

static void add_point(pen *p, float x, float y, bool lift)
{
    if (p->n == MAX_POINTS) return;
    p->x[p->n] = x;
    p->y[p->n] = y;
    p->lift[p->n++] = lift;
}

static void start(pen *p, float x, float y)
{
    add_point(p, x, y, true);
}

/* Lines are cut in pieces, so that the bending field bends them too. */
static void line(pen *p, float x, float y)
{
    float x0 = p->x[p->n - 1], y0 = p->y[p->n - 1];
    for (int i = 1; i <= 4; i++) {
        float t = (float)i / 4.0F;
        add_point(p, x0 + t * (x - x0), y0 + t * (y - y0), false);
    }
}

static void curve(pen *p, float x1, float y1, float x2, float y2, float x3, float y3)
{
    float x0 = p->x[p->n - 1], y0 = p->y[p->n - 1];
    for (int i = 1; i <= 10; i++) {
        float t = (float)i / 10.0F, s = 1.0F - t;
        float a = s * s * s, b = 3.0F * s * s * t, c = 3.0F * s * t * t, e = t * t * t;
        add_point(p, a * x0 + b * x1 + c * x2 + e * x3, a * y0 + b * y1 + c * y2 + e * y3, false);
    }
}

/* From angle a0, in turns of the full circle, clockwise on the screen; begins a stroke. */
static void arc(pen *p, float cx, float cy, float rx, float ry, float a0, float turns)
{
    for (int i = 0; i <= 20; i++) {
        float a = 2.0F * PI * (a0 + turns * (float)i / 20.0F);
        add_point(p, cx + rx * cosf(a), cy + ry * sinf(a), i == 0);
    }
}

/* The ways to write a digit; `way` in [0, 1) chooses. y goes down. */

static void write_nought(pen *p, float way)
{
    arc(p, 0.5F, 0.5F, way < 0.5F ? 0.25F : 0.3F, 0.4F, -0.27F, 1.02F);
}

static void write_one(pen *p, float way)
{
    if (way < 0.4F) {
        start(p, 0.5F, 0.08F);
    } else {
        start(p, 0.33F, 0.27F);
        line(p, 0.52F, 0.08F);
    }
    line(p, 0.52F, 0.92F);
    if (way > 0.8F) {
        start(p, 0.34F, 0.92F);
        line(p, 0.7F, 0.92F);
    }
}

static void write_two(pen *p, float way)
{
    start(p, 0.25F, 0.28F);
    curve(p, 0.28F, 0.02F, 0.76F, 0.0F, 0.74F, 0.31F);
    curve(p, 0.72F, 0.52F, 0.42F, 0.68F, 0.23F, 0.9F);
    if (way < 0.3F)
        curve(p, 0.4F, 0.78F, 0.55F, 0.98F, 0.78F, 0.85F);
    else
        line(p, 0.78F, 0.9F);
}

static void write_three(pen *p, float way)
{
    start(p, 0.26F, 0.18F);
    if (way < 0.2F) {
        line(p, 0.72F, 0.12F);
        line(p, 0.46F, 0.43F);
    } else {
        curve(p, 0.36F, 0.02F, 0.74F, 0.03F, 0.71F, 0.27F);
        curve(p, 0.69F, 0.42F, 0.54F, 0.46F, 0.42F, 0.46F);
    }
    curve(p, 0.62F, 0.45F, 0.79F, 0.54F, 0.76F, 0.71F);
    curve(p, 0.72F, 0.97F, 0.36F, 0.97F, 0.23F, 0.81F);
}

static void write_four(pen *p, float way)
{
    if (way < 0.6F) { /* open at the top */
        start(p, 0.34F, 0.1F);
        line(p, 0.23F, 0.57F);
        line(p, 0.78F, 0.55F);
        start(p, 0.65F, 0.14F);
        line(p, 0.61F, 0.92F);
    } else {
        start(p, 0.62F, 0.92F);
        line(p, 0.62F, 0.08F);
        line(p, 0.21F, 0.63F);
        line(p, 0.8F, 0.63F);
    }
}

static void write_five(pen *p, float way)
{
    (void)way;
    start(p, 0.74F, 0.1F);
    line(p, 0.34F, 0.1F);
    line(p, 0.3F, 0.46F);
    curve(p, 0.46F, 0.35F, 0.78F, 0.4F, 0.76F, 0.67F);
    curve(p, 0.74F, 0.96F, 0.36F, 0.96F, 0.23F, 0.83F);
}

static void write_six(pen *p, float way)
{
    start(p, way < 0.5F ? 0.66F : 0.58F, 0.07F);
    curve(p, 0.42F, 0.16F, 0.25F, 0.42F, 0.26F, 0.68F);
    arc(p, 0.5F, 0.69F, 0.24F, 0.23F, 0.5F, 1.0F);
}

static void write_seven(pen *p, float way)
{
    start(p, 0.23F, 0.13F);
    line(p, 0.77F, 0.11F);
    if (way < 0.5F)
        line(p, 0.42F, 0.92F);
    else
        curve(p, 0.66F, 0.35F, 0.48F, 0.55F, 0.44F, 0.92F);
    if (way > 0.75F) {
        start(p, 0.38F, 0.51F);
        line(p, 0.7F, 0.51F);
    }
}

static void write_eight(pen *p, float way)
{
    (void)way;
    arc(p, 0.5F, 0.28F, 0.2F, 0.19F, 0.25F, 1.0F);
    arc(p, 0.5F, 0.7F, 0.25F, 0.22F, -0.25F, 1.0F);
}

static void write_nine(pen *p, float way)
{
    arc(p, 0.48F, 0.31F, 0.23F, 0.22F, 0.0F, 1.0F);
    start(p, 0.71F, 0.31F);
    if (way < 0.5F)
        line(p, 0.66F, 0.93F);
    else
        curve(p, 0.72F, 0.58F, 0.7F, 0.76F, 0.5F, 0.93F);
}

static void (*const write_digit[])(pen *p, float way) = {
    write_nought, write_one, write_two,   write_three, write_four,
    write_five,   write_six, write_seven, write_eight, write_nine};

/* A smooth field of displacements, the same for strokes that touch. Then the affine map to pixels.
 */
static void place(pen *p, const float *u, float size)
{
    float bend = 0.025F, fx = 0.6F + 0.5F * u[0], fy = 0.6F + 0.5F * u[1];
    float angle = (u[4] - 0.5F) * 0.5F, shear = (u[5] - 0.5F) * 0.5F;
    float scale = 0.68F + 0.16F * u[6], wide = 0.85F + 0.3F * u[7];
    float dx = (u[8] - 0.5F) * 0.12F, dy = (u[9] - 0.5F) * 0.12F;
    float ca = cosf(angle), sa = sinf(angle);
    for (int i = 0; i < p->n; i++) {
        float x = p->x[i], y = p->y[i];
        float bx = x + bend * sinf(2.0F * PI * (fy * y + u[2]));
        float by = y + bend * sinf(2.0F * PI * (fx * x + u[3]));
        float cx = (bx - 0.5F) * wide - (by - 0.5F) * shear, cy = by - 0.5F;
        p->x[i] = (0.5F + scale * (ca * cx - sa * cy) + dx) * size;
        p->y[i] = (0.5F + scale * (sa * cx + ca * cy) + dy) * size;
    }
}

static float distance2(float px, float py, float ax, float ay, float bx, float by)
{
    float vx = bx - ax, vy = by - ay, wx = px - ax, wy = py - ay, vv = vx * vx + vy * vy;
    float t = vv > 0.0F ? (vx * wx + vy * wy) / vv : 0.0F;
    t = t < 0.0F ? 0.0F : t > 1.0F ? 1.0F : t;
    float ex = wx - t * vx, ey = wy - t * vy;
    return ex * ex + ey * ey;
}

static int clamp_pixel(float v, int size)
{
    return v < 0.0F ? 0 : v > (float)(size - 1) ? size - 1 : (int)v;
}

/* `out` first holds the squared distance to the nearest stroke, then the brightness. */
static void ink(const pen *p, float radius, float bright, int size, float *out)
{
    int n = size * size;
    float reach = radius + 1.0F;
    for (int i = 0; i < n; i++) out[i] = reach * reach;
    for (int k = 1; k < p->n; k++) {
        if (p->lift[k]) continue;
        float ax = p->x[k - 1], ay = p->y[k - 1], bx = p->x[k], by = p->y[k];
        int x0 = clamp_pixel(fminf(ax, bx) - reach, size),
            x1 = clamp_pixel(fmaxf(ax, bx) + reach, size);
        int y0 = clamp_pixel(fminf(ay, by) - reach, size),
            y1 = clamp_pixel(fmaxf(ay, by) + reach, size);
        for (int y = y0; y <= y1; y++)
            for (int x = x0; x <= x1; x++) {
                float d = distance2((float)x + 0.5F, (float)y + 0.5F, ax, ay, bx, by);
                if (d < out[y * size + x]) out[y * size + x] = d;
            }
    }
    for (int i = 0; i < n; i++) {
        float v = radius + 0.5F - sqrtf(out[i]);
        v = v < 0.0F ? 0.0F : v > 1.0F ? 1.0F : v;
        out[i] = floorf(v * bright * 255.0F + 0.5F) / 255.0F;
    }
}

static void fetch(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    int size = *(const int *)self;
    float u[DRAWS];
    dg_rng r = {.key = seed ^ 0x736b65746368ULL};
    dg_rng_uniform(&r, (uint64_t)i * DRAWS, DRAWS, u);
    *label = (int32_t)(u[12] * 10.0F);
    pen p = {0};
    write_digit[*label](&p, u[13]);
    place(&p, u, (float)size);
    float radius = (float)size * (0.03F + 0.025F * u[10]);
    ink(&p, radius, 0.75F + 0.25F * u[11], size, out);
}

bool dg_open_sketch(dg_diag *d, dg_arena *a, const dg_data_spec *s, dg_reader *out)
{
    int *size = DG_NEW(a, int);
    *size = 28;
    if (s->size.rank) {
        const int64_t *dim = s->size.dim;
        if (s->size.rank != 3 || dim[0] != 1 || dim[1] != dim[2] || dim[1] < 8 || dim[1] > 1024) {
            dg_error_at(
                d, "E443", s->kind,
                "the digits are drawn grey and square: data.size is [1, S, S], S from 8 to 1024");
            return false;
        }
        *size = (int)dim[1];
    }
    *out = (dg_reader){.shape = DG_SHAPE(1, *size, *size),
                       .classes = 10,
                       .image = true,
                       .fetch = fetch,
                       .self = size};
    return true;
}
