/* shapes.c: colour shapes: ten classes of simple coloured figures on a shaded ground, any number of
 * them; stands in for photographs where a test or an example needs labelled colour images.
 * Sample i is a pure function of (seed, i). */
#include "runtime/data/dataset.h"

#include "compiler/base/rng.h"

#include <math.h>

enum { DRAWS = 32 };
static const float PI = 3.14159265358979F;

static float box(float x, float y, float w, float h)
{
    return fmaxf(fabsf(x) - w, fabsf(y) - h);
}

static float wave(float x)
{
    return 0.25F - fabsf(x - floorf(x) - 0.5F); /* positive in half of each period */
}

/* Signed distance, about in units of the figure's size, negative inside. (x, y) in [-1, 1] on it.
 */
static float figure(int which, float x, float y)
{
    float r = sqrtf(x * x + y * y);
    switch (which) {
    case 0:
        return r - 0.9F; /* disc */
    case 1:
        return box(x, y, 0.75F, 0.75F); /* square */
    case 2:
        return fmaxf(fmaxf(-1.0F * y - 0.9F, 0.0F) + 0.87F * fabsf(x) + 0.5F * y - 0.5F,
                     -y - 0.75F); /* triangle */
    case 3:
        return fabsf(r - 0.65F) - 0.22F; /* ring */
    case 4:
        return fminf(box(x, y, 0.9F, 0.26F), box(x, y, 0.26F, 0.9F)); /* cross */
    case 5:
        return fabsf(x) + fabsf(y) - 0.95F; /* diamond */
    case 6:
        return fmaxf(r - 0.9F, wave(y * 1.6F) * 0.6F); /* disc of stripes */
    case 7:
        return fmaxf(box(x, y, 0.85F, 0.85F),
                     wave(x * 1.3F) * wave(y * 1.3F) * 4.0F); /* chessboard */
    case 8:
        return fmaxf(r - 0.9F, 0.72F - sqrtf((x - 0.4F) * (x - 0.4F) + y * y)); /* crescent */
    default:
        return r - 0.55F - 0.35F * cosf(5.0F * atan2f(x, y)); /* flower of five */
    }
}

static void fetch(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    int64_t size = *(const int64_t *)self;
    float u[DRAWS], span = (float)size;
    dg_rng r = {.key = seed ^ 0x736861706573ULL};
    dg_rng_uniform(&r, (uint64_t)i * DRAWS, DRAWS, u);
    *label = (int32_t)(u[0] * 10.0F);
    float cx = 0.5F + 0.2F * (u[1] - 0.5F), cy = 0.5F + 0.2F * (u[2] - 0.5F);
    float radius = 0.26F + 0.12F * u[3], angle = (u[4] - 0.5F) * 0.6F;
    float ca = cosf(angle), sa = sinf(angle), tilt = 2.0F * PI * u[5];
    bool bright = u[6] < 0.5F; /* figure lighter than the ground, or the other way round */
    for (int64_t y = 0; y < size; y++)
        for (int64_t x = 0; x < size; x++) {
            float px = ((float)x + 0.5F) / span - cx, py = ((float)y + 0.5F) / span - cy;
            float fx = (ca * px + sa * py) / radius, fy = (ca * py - sa * px) / radius;
            float cover = 0.5F - figure(*label, fx, fy) * radius * span;
            cover = cover < 0.0F ? 0.0F : cover > 1.0F ? 1.0F : cover;
            float shade = 0.15F * (px * cosf(tilt) + py * sinf(tilt));
            for (int64_t c = 0; c < 3; c++) {
                float hi = 0.55F + 0.45F * u[8 + c], lo = 0.4F * u[12 + c];
                float ground = (bright ? lo : hi) + shade, ink = bright ? hi : lo;
                float v = ground + cover * (ink - ground);
                v = v < 0.0F ? 0.0F : v > 1.0F ? 1.0F : v;
                out[(c * size + y) * size + x] = floorf(v * 255.0F + 0.5F) / 255.0F;
            }
        }
}

bool dg_open_shapes(dg_diag *d, dg_arena *a, const dg_data_spec *s, dg_reader *out)
{
    int64_t *size = DG_NEW(a, int64_t);
    *size = 32;
    if (s->size.rank) {
        const int64_t *dim = s->size.dim;
        if (s->size.rank != 3 || dim[0] != 3 || dim[1] != dim[2] || dim[1] < 8 || dim[1] > 1024) {
            dg_error_at(d, "E443", s->kind,
                        "the shapes are drawn in colour and square: data.size is [3, S, S], S from "
                        "8 to 1024");
            return false;
        }
        *size = dim[1];
    }
    *out = (dg_reader){.shape = DG_SHAPE(3, *size, *size),
                       .classes = 10,
                       .image = true,
                       .fetch = fetch,
                       .self = size};
    return true;
}
