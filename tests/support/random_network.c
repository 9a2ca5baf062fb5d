/* random_network.c: a network is a list of maps [batch, c, h, w]; each layer reads one or some of
 * them and appends one. What no layer reads goes into the result by its mean, so that no parameter
 * is left without a gradient. */
#include "tests/support/random_network.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MAPS = 40, MOST_SIDE = 32 };

typedef struct map {
    int c, h, w;
    bool read;
} map;

typedef struct maker {
    dg_text *text;
    uint64_t seed;
    int batch, n;
    map maps[MOST_MAPS]; /* named h0, h1, ... */
    bool large;          /* channels and sides at which passes see something to gain */
} maker;

static int below(maker *m, int n)
{
    m->seed = m->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((m->seed >> 33) % (uint64_t)n);
}

#define ONE_OF(m, ...)                                                                             \
    ((const int[]){__VA_ARGS__}[below(m, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)))])
#define WORD_OF(m, ...)                                                                            \
    ((const char *[]){                                                                             \
        __VA_ARGS__}[below(m, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)))])

static int channels(maker *m)
{
    return m->large ? ONE_OF(m, 16, 32, 32, 40, 64, 64, 80)
                    : ONE_OF(m, 1, 2, 3, 4, 5, 8, 8, 12, 16, 16, 17, 24, 32, 33, 40);
}

/* A map that is there; its number. Late ones more often, so that networks are deep. */
static int any(maker *m)
{
    int back = below(m, below(m, 3) ? 2 : m->n);
    int i = back < m->n ? m->n - 1 - back : 0;
    m->maps[i].read = true;
    return i;
}

/* Another of the size of `i`, which may be `i` itself; `all`: of as many channels, too. */
static int alike(maker *m, int i, bool all)
{
    for (int tries = 0; tries < 8; tries++) {
        int k = below(m, m->n);
        if (m->maps[k].h == m->maps[i].h && m->maps[k].w == m->maps[i].w &&
            (!all || m->maps[k].c == m->maps[i].c)) {
            m->maps[k].read = true;
            return k;
        }
    }
    return i;
}

/* Appends `hN = ...` and the map of this size. */
__attribute__((format(printf, 5, 6))) static void append(maker *m, int c, int h, int w,
                                                         const char *format, ...)
{
    char line[600];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    dg_text_add(m->text, "  h%d = %s\n", m->n, line);
    m->maps[m->n++] = (map){c, h, w, false};
}

/* ---- layers ---- */

static void convolution(maker *m)
{
    int i = any(m), n = m->n, out = channels(m);
    int k = ONE_OF(m, 1, 1, 2, 3, 3, 3, 3, 3, 4, 5), stride = ONE_OF(m, 1, 1, 1, 2, 3);
    map x = m->maps[i];
    int pad[4]; /* top, bottom, left, right */
    bool same = below(m, 4) != 0;
    for (int e = 0; e < 4; e++) pad[e] = same ? k / 2 : below(m, 3);
    int h = (x.h + pad[0] + pad[1] - k) / stride + 1, w = (x.w + pad[2] + pad[3] - k) / stride + 1;
    if (x.h + pad[0] + pad[1] < k || x.w + pad[2] + pad[3] < k || h > 2 * MOST_SIDE) return;
    append(m, out, h, w, "conv@l%d(h%d, %d, %d, stride=%d, pad=[%d, %d, %d, %d])", n, i, out, k,
           stride, pad[0], pad[1], pad[2], pad[3]);
}

static void grouped(maker *m)
{
    int i = any(m), n = m->n, k = ONE_OF(m, 1, 2, 3, 3), groups = ONE_OF(m, 2, 3, 4, 8);
    map x = m->maps[i];
    int dilation = ONE_OF(m, 1, 1, 2), reach = dilation * (k - 1) + 1, pad = reach / 2;
    if (x.c % groups != 0) groups = below(m, 2) ? x.c : 1;
    int out = groups * ONE_OF(m, 1, 2, 3);
    int h = x.h + 2 * pad - reach + 1, w = x.w + 2 * pad - reach + 1;
    append(m, out, h, w, "some_conv@l%d(h%d, %d, %d, %d, %d, %d)", n, i, out, k, pad, dilation,
           groups);
}

static void norm(maker *m)
{
    int i = any(m), n = m->n, groups = ONE_OF(m, 1, 2, 4, 8, 16, 32);
    map x = m->maps[i];
    const char *act = WORD_OF(m, "silu", "silu", "silu", "gelu", "relu", "tanh", "softplus");
    while (x.c % groups != 0) groups /= 2;
    if (x.c / groups * x.h * x.w < 4) return; /* of a few numbers a norm is a sign */
    append(m, x.c, x.h, x.w, "%s(gnorm@l%d(h%d, %d))", act, n, i, groups);
}

static void norm_and_convolution(maker *m)
{
    int before = m->n;
    norm(m);
    if (m->n == before) return;
    int i = m->n - 1, n = m->n, out = channels(m);
    map x = m->maps[i];
    m->maps[i].read = true;
    append(m, out, x.h, x.w, "conv@l%d(h%d, %d, %d)", n, i, out, ONE_OF(m, 1, 3, 3, 3));
}

static void shifted_norm(maker *m)
{
    int i = any(m), n = m->n;
    map x = m->maps[i];
    if (x.h * x.w < 4) return;
    append(m, x.c, x.h, x.w, "silu(scale_shift(gnorm@l%d(h%d, %d), linear@e%d(silu(emb), %d)))", n,
           i, x.c, n, 2 * x.c);
}

static void timed(maker *m)
{
    int i = any(m), n = m->n;
    map x = m->maps[i];
    append(m, x.c, x.h, x.w, "h%d + linear@l%d(%s, %d)[:, :, _, _]", i, n,
           WORD_OF(m, "emb", "silu(emb)"), x.c);
}

static void block(maker *m)
{
    int i = any(m), n = m->n, groups = ONE_OF(m, 1, 2, 4, 8),
        out = below(m, 2) ? m->maps[i].c : channels(m);
    map x = m->maps[i];
    while (x.c % groups != 0 || out % groups != 0) groups /= 2;
    const char *size = "none";
    if (x.h * x.w < 4) return;
    if (x.h % 2 == 0 && x.w % 2 == 0 && x.h > 2 && x.w > 2 && below(m, 4) == 0)
        size = "down";
    else if (2 * x.h <= MOST_SIDE && 2 * x.w <= MOST_SIDE && below(m, 4) == 0)
        size = "up";
    int h = size[0] == 'd' ? x.h / 2 : size[0] == 'u' ? x.h * 2 : x.h;
    int w = size[0] == 'd' ? x.w / 2 : size[0] == 'u' ? x.w * 2 : x.w;
    const char *remat = WORD_OF(m, "", "remat "), *emb = WORD_OF(m, "none", "emb", "emb", "emb");
    const char *drop = WORD_OF(m, "0.0", "0.1"), *cond = WORD_OF(m, "add", "scale_shift");
    append(m, out, h, w, "%sresblock@l%d(h%d, %s, %d, %s, %d, cond=\"%s\", resample=\"%s\")", remat,
           n, i, emb, out, drop, groups, cond, size);
}

static void joined(maker *m)
{
    int a = any(m), b = alike(m, a, false), parts = 2 + below(m, 2);
    int c = parts == 3 ? alike(m, a, false) : a;
    map x = m->maps[a];
    int sum = x.c + m->maps[b].c + (parts == 3 ? m->maps[c].c : 0);
    if (sum > 128) return;
    if (parts == 3)
        append(m, sum, x.h, x.w, "concat([h%d, h%d, h%d], 1)", a, b, c);
    else
        append(m, sum, x.h, x.w, "concat([h%d, h%d], 1)", a, b);
}

static void joined_otherwise(maker *m)
{
    int a = any(m), b = alike(m, a, true), axis = ONE_OF(m, 2, 3);
    map x = m->maps[a];
    if (2 * x.h > MOST_SIDE || 2 * x.w > MOST_SIDE) return;
    append(m, x.c, axis == 2 ? 2 * x.h : x.h, axis == 3 ? 2 * x.w : x.w, "concat([h%d, h%d], %d)",
           a, b, axis);
}

static void enlarged(maker *m)
{
    int i = any(m), k = ONE_OF(m, 2, 2, 3);
    map x = m->maps[i];
    if (k * x.h > MOST_SIDE || k * x.w > MOST_SIDE) return;
    append(m, x.c, k * x.h, k * x.w, "upsample(h%d, %d)", i, k);
}

static void enlarged_and_convolution(maker *m)
{
    int before = m->n;
    enlarged(m);
    if (m->n == before) return;
    int i = m->n - 1, n = m->n, out = channels(m);
    map x = m->maps[i];
    m->maps[i].read = true;
    append(m, out, x.h, x.w, "conv@l%d(h%d, %d)", n, i, out);
}

static void shrunk(maker *m)
{
    int i = any(m), k = ONE_OF(m, 2, 2, 3);
    map x = m->maps[i];
    if (x.h % k != 0 || x.w % k != 0) return;
    append(m, x.c, x.h / k, x.w / k, "avgpool(h%d, %d)", i, k);
}

static void sum(maker *m)
{
    int a = any(m), b = alike(m, a, true);
    map x = m->maps[a];
    switch (below(m, 6)) {
    case 0:
        append(m, x.c, x.h, x.w, "tanh(h%d) * h%d", a, b);
        break;
    case 1:
        append(m, x.c, x.h, x.w, "max(h%d, 0.3 * h%d)", a, b);
        break;
    case 2:
        append(m, x.c, x.h, x.w, "where(h%d > 0.1, sin(h%d), 0.5 * h%d)", a, b, a);
        break;
    case 3:
        append(m, x.c, x.h, x.w, "h%d * sigmoid(h%d) - clip(h%d, -0.7, 0.9)", a, a, b);
        break;
    default:
        append(m, x.c, x.h, x.w, "h%d + h%d", a, b);
        break;
    }
}

static void dropped(maker *m)
{
    int i = any(m);
    map x = m->maps[i];
    append(m, x.c, x.h, x.w, "dropout@l%d(h%d, %s)", m->n, i,
           WORD_OF(m, "0.0", "0.1", "0.5", "0.9"));
}

static void noisy(maker *m)
{
    int i = any(m);
    map x = m->maps[i];
    append(m, x.c, x.h, x.w, "h%d + 0.1 * randn@l%d(shape(h%d))", i, m->n, i);
}

static void attended(maker *m)
{
    int i = any(m), n = m->n, heads = ONE_OF(m, 1, 2, 4, 8);
    map x = m->maps[i];
    while (x.c % heads != 0) heads /= 2;
    if (x.h * x.w < 4) return;
    append(m, x.c, x.h, x.w, "pixel_attention@l%d(h%d, %d, %d)", n, i, heads, heads);
}

/* Pixels, or rows, as the tokens of a transformer's parts. */
static void sequence(maker *m)
{
    int i = any(m), n = m->n, heads = ONE_OF(m, 1, 2, 3), width = ONE_OF(m, 1, 5, 7, 16, 40, 65);
    map x = m->maps[i];
    bool pixels = below(m, 2);
    int d = pixels ? x.c : x.w * x.c;
    if (d < 4 || d > 300) return; /* of few numbers a norm is a sign */
    dg_text_add(m->text, "  q%d = rearrange(h%d, \"%s\")\n", n, i,
                pixels ? "b c y z -> b (y z) c" : "b c y z -> b y (z c)");
    dg_text_add(m->text, "  r%d = ", n);
    switch (below(m, 3)) {
    case 0:
        dg_text_add(m->text, "cross_attention@l%d(q%d, q%d, %d, width=%d, bias=true)\n", n, n, n,
                    heads, width);
        break;
    case 1:
        dg_text_add(m->text, "feed_forward@l%d(lnorm@n%d(q%d))\n", n, n, n);
        break;
    default:
        dg_text_add(m->text, "linear@l%d(silu(linear@m%d(q%d, %d)), %d)\n", n, n, n,
                    ONE_OF(m, 1, 7, 32, 100), d);
        break;
    }
    append(m, x.c, x.h, x.w, "rearrange(r%d, \"%s\", z=%d)", n,
           pixels ? "b (y z) c -> b c y z" : "b y (z c) -> b c y z", x.w);
}

static void linear_attended(maker *m)
{
    int i = any(m), n = m->n;
    map x = m->maps[i];
    if (x.c < 2) return;
    int heads = ONE_OF(m, 1, 3), width = ONE_OF(m, 4, 9), memory = ONE_OF(m, 0, 4);
    append(m, x.c, x.h, x.w, "linear_attention@l%d(h%d, %d, %d, %d)", n, i, heads, width, memory);
}

static void gated(maker *m)
{
    int i = any(m), n = m->n;
    map x = m->maps[i];
    append(m, x.c, x.h, x.w, "h%d * sigmoid(linear@l%d(mean(h%d, axes=[2, 3]), %d))[:, :, _, _]", i,
           n, i, x.c);
}

static void cut(maker *m)
{
    int i = any(m);
    map x = m->maps[i];
    int c = 1 + below(m, x.c), from = below(m, x.c - c + 1);
    if (below(m, 2)) {
        append(m, c, x.h, x.w, "h%d[:, %d:%d]", i, from, from + c);
    } else {
        int y = x.h > 2 ? 1 : 0, step = ONE_OF(m, 1, 2);
        append(m, x.c, x.h - y, (x.w + step - 1) / step, "h%d[:, :, %d:, ::%d]", i, y, step);
    }
}

static void halves(maker *m)
{
    int i = any(m);
    map x = m->maps[i];
    if (x.c % 2 != 0) return;
    dg_text_add(m->text, "  (a%d, b%d) = split(h%d, 2, 1)\n", m->n, m->n, i);
    append(m, x.c / 2, x.h, x.w, "a%d * %s(b%d)", m->n,
           WORD_OF(m, "silu", "gelu", "sigmoid", "tanh"), m->n);
}

static void rows(maker *m)
{
    int i = any(m), n = m->n, axis = ONE_OF(m, 1, 2, 3);
    map x = m->maps[i];
    switch (below(m, 6)) {
    case 0:
        append(m, x.c, x.h, x.w, "softmax(h%d, axis=%d)", i, axis);
        break;
    case 1:
        append(m, x.c, x.h, x.w, "0.2 * cumsum(h%d, axis=%d)", i, axis);
        break;
    case 2:
        if (x.w < 3) return;
        append(m, x.c, x.h, x.w, "lnorm@l%d(h%d)", n, i);
        break;
    case 3:
        if (x.c < 2) return;
        append(m, x.c, x.h, x.w, "rms_norm@l%d(h%d)", n, i);
        break;
    case 4:
        append(m, x.c, x.h, x.w, "h%d - logsumexp(h%d, axis=%d, keep=true)", i, i, axis);
        break;
    default:
        append(m, x.c, x.h, x.w, "h%d * mean(h%d, axes=[%d], keep=true)", i, i, axis);
        break;
    }
}

static void resized(maker *m)
{
    int i = any(m), h = 1 + below(m, 12), w = 1 + below(m, 12);
    append(m, m->maps[i].c, h, w, "resize(h%d, %d, %d)", i, h, w);
}

static void transposed_convolution(maker *m)
{
    int i = any(m), out = channels(m);
    map x = m->maps[i];
    if (2 * x.h > MOST_SIDE || 2 * x.w > MOST_SIDE) return;
    append(m, out, 2 * x.h, 2 * x.w, "conv_up@l%d(h%d, %d)", m->n, i, out);
}

static void shuffled(maker *m)
{
    int i = any(m);
    map x = m->maps[i];
    if (x.c % 4 == 0 && below(m, 2) && 2 * x.h <= MOST_SIDE && 2 * x.w <= MOST_SIDE)
        append(m, x.c / 4, 2 * x.h, 2 * x.w, "shuffle(h%d, 2)", i);
    else if (x.h % 2 == 0 && x.w % 2 == 0 && 4 * x.c <= 128)
        append(m, 4 * x.c, x.h / 2, x.w / 2, "unshuffle(h%d, 2)", i);
}

static void turned(maker *m)
{
    int i = any(m);
    map x = m->maps[i];
    append(m, x.c, x.w, x.h, "rearrange(h%d, \"b c y x -> b c x y\")", i);
}

/* Rounds with weights that all share, as carries: one that changes, one that stays. */
static void repeated(maker *m)
{
    int i = any(m), n = m->n;
    map x = m->maps[i];
    bool product = below(m, 2);
    dg_text_add(m->text, "  model round%d = fn(v) => %s\n", n,
                product ? "conv(silu(v), dim(v, 1), 3, scale=0.5)"
                        : "rearrange(linear(rearrange(v, \"b c y x -> b y x c\"), dim(v, 1)), \"b "
                          "y x c -> b c y x\")");
    dg_text_add(m->text, "  v%d = h%d\n  s%d = zeros(shape(h%d))\n", n, i, n, i);
    dg_text_add(m->text, "  loop (i, c) in [(j, 0.3 + 0.1 * j) for j in 0..%d] {\n",
                2 + below(m, 4));
    dg_text_add(m->text, "    s%d = s%d + v%d\n", n, n, n);
    dg_text_add(m->text, "    v%d = v%d + c * tanh(round%d(v%d))\n", n, n, n, n);
    if (below(m, 3) == 0) dg_text_add(m->text, "    stop(max(abs(v%d)) > 100.0)\n", n);
    dg_text_add(m->text, "  }\n");
    append(m, x.c, x.h, x.w, "v%d + 0.2 * s%d", n, n);
}

static void slope(maker *m)
{
    int i = any(m), n = m->n;
    map x = m->maps[i];
    if (x.c * x.h * x.w > 600) return;
    dg_text_add(m->text, "  q%d = conv@l%d(h%d, 2, 3)\n", n, n, i);
    append(m, x.c, x.h, x.w, "h%d + grad(sum(square(tanh(q%d))), h%d)", i, n, i);
}

/* clang-format off */
static void (*const layers[])(maker *) = {
    convolution, convolution, convolution, norm_and_convolution, norm_and_convolution, grouped,
    transposed_convolution, enlarged, enlarged_and_convolution, shrunk, resized, shuffled, turned,
    norm, shifted_norm, timed, gated, block, block, attended, linear_attended, sequence, sequence,
    joined, joined, joined_otherwise, cut, halves, sum, sum, rows, dropped, noisy, repeated, slope,
};
/* clang-format on */

static void body(maker *m, const random_network *n)
{
    dg_text_add(m->text, "block body(x: f32[B, C, H, W], t: i32[B]) -> f32[B, C] {\n"
                         "  emb = time_embed@time(f32(t), 16, 24)\n"
                         "  h0 = x\n");
    m->maps[m->n++] = (map){n->channels, n->height, n->width, false};
    int count = 3 + below(m, m->large ? 5 : 14);
    for (int i = 0; i < count && m->n < MOST_MAPS - 2; i++) {
        maker was = *m;
        layers[below(m, (int)(sizeof layers / sizeof *layers))](m);
        if (m->n == was.n) memcpy(m->maps, was.maps, sizeof was.maps); /* no layer of that size */
    }
    dg_text_add(m->text, "  all = concat([mean(emb, axes=[1], keep=true)");
    for (int i = 0; i < m->n; i++)
        if (!m->maps[i].read || i == m->n - 1)
            dg_text_add(m->text, ", mean(%s(h%d), axes=[2, 3])", below(m, 2) ? "square" : "tanh",
                        i);
    dg_text_add(m->text, "], 1)\n  return linear@head(all, C)\n}\n");
}

static const char before[] = "import \"nn/layers.dg\"\n"
                             "import \"nn/activation.dg\"\n"
                             "import \"nn/attention.dg\"\n"
                             "import \"nn/resample.dg\"\n"
                             "import \"nn/shuffle.dg\"\n"
                             "import \"nn/timestep.dg\"\n"
                             "import \"nn/transformer.dg\"\n"
                             "import \"nets/unet.dg\"\n"
                             "import \"optim/adam.dg\"\n"
                             "import \"optim/clip.dg\"\n"
                             "import \"optim/ema.dg\"\n"
                             "import \"optim/lr.dg\"\n"
                             "\n"
                             "block some_conv(x: f32[B, C, H, W], out: int, k: int, pad: int, "
                             "dilation: int, groups: int) {\n"
                             "  param w : f32[out, C // groups, k, k] = randn@init(dims)\n"
                             "  return conv2d(x, w, pad=pad, dilation=dilation, groups=groups)\n"
                             "}\n";

static const char after[] =
    "model net = fn(x, t) => body(x, t)\n"
    "\n"
    "block kept(loss: f32, net) {\n"
    "  ps = params(net)\n"
    "  for (p, g) in zip(ps, grad(loss, ps)) {\n"
    "    state s@\"g.{name(p)}\" = zeros(shape(p))\n"
    "    s := g\n"
    "  }\n"
    "}\n"
    "\n"
    "entry shake(x: f32[batch, channels, height, width], t: i32[batch]) -> f32 {\n"
    "  for p in params(net) { p := p + 0.05 * randn@\"shake.{name(p)}\"(shape(p)) }\n"
    "  return mean(net(x, t))\n"
    "}\n"
    "\n"
    "entry forward(x: f32[batch, channels, height, width], t: i32[batch]) -> f32[batch, channels] "
    "{\n"
    "  return net(x, t)\n"
    "}\n"
    "\n"
    "train grads(x: f32[batch, channels, height, width], t: i32[batch]) -> f32 {\n"
    "  loss = mean(square(net(x, t) - 0.5))\n"
    "  kept(loss, net)\n"
    "  return loss\n"
    "}\n"
    "\n"
    "train unrolled(x: f32[batch, channels, height, width], t: i32[batch]) -> f32 {\n"
    "  loop i in 0..4 { x = 0.8 * x + 0.2 * tanh(net(x, t))[:, :, _, _] }\n"
    "  loss = mean(square(x - 0.1))\n"
    "  kept(loss, net)\n"
    "  return loss\n"
    "}\n"
    "\n"
    "train step(x: f32[batch, channels, height, width], t: i32[batch]) -> f32 {\n"
    "  loss = mean(square(net(x, t) - 0.5))\n"
    "  adam(loss, net, constant(1e-3))\n"
    "  ema(net, 0.99)\n"
    "  return loss\n"
    "}\n"
    "\n"
    "entry sample(x: f32[batch, channels, height, width], t: i32[batch]) -> f32[batch, channels, "
    "height, "
    "width] {\n"
    "  loop (i, c) in [(j, 0.9 - 0.1 * j) for j in 0..5] {\n"
    "    x = c * x + 0.2 * tanh(net(x, expand(i, [batch])))[:, :, _, _] + 0.01 * "
    "randn@z(shape(x))\n"
    "  }\n"
    "  return x\n"
    "}\n";

void random_network_make(random_network *n, uint32_t number)
{
    *n = (random_network){0};
    maker m = {.text = &n->text, .seed = number * UINT64_C(7919) + 17};
    below(&m, 2);
    n->large = m.large = below(&m, 10) == 0;
    n->batch = m.batch = m.large ? ONE_OF(&m, 2, 4) : ONE_OF(&m, 1, 1, 2, 3, 5);
    n->channels = m.large ? ONE_OF(&m, 3, 16, 32) : ONE_OF(&m, 1, 2, 3, 4, 17);
    n->height = m.large ? ONE_OF(&m, 8, 16, 24, 32) : ONE_OF(&m, 1, 2, 3, 4, 5, 7, 8, 8, 12, 16);
    n->width = below(&m, 2) ? n->height : ONE_OF(&m, 1, 4, 5, 8, 9, 16);
    dg_text_add(
        &n->text,
        "%s\nconst batch = %d\nconst channels = %d\nconst height = %d\nconst width = %d\n\n",
        before, n->batch, n->channels, n->height, n->width);
    body(&m, n);
    dg_text_add(&n->text, "%s", after);
}

void random_network_free(random_network *n)
{
    dg_text_free(&n->text);
}
