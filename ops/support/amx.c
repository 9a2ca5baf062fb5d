/* amx.c: see amx.h. Four tiles of sums, two of the left and two of the right operand fill the eight
 * registers: four products for four loads, which is what one core can load in the time that they
 * take. */
#include "ops/support/amx.h"

#include "ops/support/tile.h"

#include <string.h>

double dg_bf16_round(double x)
{
    return (double)dg_bf16_value(dg_bf16_bits((float)x));
}

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TARGET                                                                                     \
    __attribute__((target("amx-tile,amx-bf16,avx512bf16,avx512f,avx512bw,avx512vl,avx512dq")))

/* GCC's tile instructions do not say that they read memory: what they read must stand there. */
#define MEMORY_STANDS __asm__ volatile("" ::: "memory")

/* ---- may we ---- */

static bool ready;

static bool cpu_has_it(void)
{
    enum { TILE = 1 << 24, BF16 = 1 << 22, VECTOR_BF16 = 1 << 5 };
    unsigned a, b, c, d, high;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    high = d;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d)) return false;
    return high & TILE && high & BF16 && a & VECTOR_BF16;
}

/* The tile registers are 8 KiB that the kernel keeps for a thread only on request. */
static void ask(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    ready = dg_isa_of_cpu() >= DG_AVX512 && cpu_has_it() &&
            syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

bool dg_amx_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask);
    return ready;
}

/* ---- tiles ---- */

TARGET void dg_amx_begin(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape __attribute__((aligned(64))) = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shape.row_bytes[i] = 64;
        shape.rows[i] = DG_AMX_SIDE;
    }
    MEMORY_STANDS;
    _tile_loadconfig(&shape);
}

TARGET void dg_amx_end(void)
{
    _tile_release();
}

enum { AHEAD = 4 }; /* steps */

/* Rows [8 part, 8 part + 8) of the left tiles `ahead`, of which there are `tiles`. */
TARGET static inline void fetch(const char *const ahead[2], size_t stride, int tiles, int part)
{
    const char *row = ahead[part / 2] + (size_t)(8 * (part % 2)) * stride;
    if (part / 2 < tiles)
        for (int i = 0; i < 8; i++) _mm_prefetch(row + (size_t)i * stride, _MM_HINT_T0);
}

/* Sums in tiles 0 (top left) 1 (top right) 2 3; left operand in 4 5, right in 6 7.
 *
 * A core that shares its tiles' unit with another has no spare registers to load into: a load waits
 * until the products before it have read what it replaces, and the next product waits for the load.
 * So each tile is loaded as soon as it has been used for the last time, while others are
 * multiplied, and what the left operand needs some steps later is fetched into the first cache. */
#define PRODUCT(name, ROWS, COLS)                                                                  \
    TARGET static void name(int64_t steps, const dg_amx_operand *a, const dg_amx_operand *b,       \
                            bool add, float *const *c, int64_t ldc)                                \
    {                                                                                              \
        const char *a0 = a->tile[0], *a1 = a->tile[1], *b0 = b->tile[0], *b1 = b->tile[1];         \
        size_t as = (size_t)a->stride, bs = (size_t)b->stride, cs = sizeof(float) * (size_t)ldc;   \
        const int32_t *at = a->at, *bt = b->at;                                                    \
        int64_t later = AHEAD % steps;                                                             \
        MEMORY_STANDS;                                                                             \
        if (add) {                                                                                 \
            _tile_loadd(0, c[0], cs);                                                              \
            if (COLS > 1) _tile_loadd(1, c[1], cs);                                                \
            if (ROWS > 1) _tile_loadd(2, c[0] + DG_AMX_SIDE * ldc, cs);                            \
            if (ROWS > 1 && COLS > 1) _tile_loadd(3, c[1] + DG_AMX_SIDE * ldc, cs);                \
        } else {                                                                                   \
            _tile_zero(0);                                                                         \
            if (COLS > 1) _tile_zero(1);                                                           \
            if (ROWS > 1) _tile_zero(2);                                                           \
            if (ROWS > 1 && COLS > 1) _tile_zero(3);                                               \
        }                                                                                          \
        _tile_loadd(4, a0 + at[0], as);                                                            \
        _tile_loadd(6, b0 + bt[0], bs);                                                            \
        if (COLS > 1) _tile_loadd(7, b1 + bt[0], bs);                                              \
        if (ROWS > 1) _tile_loadd(5, a1 + at[0], as);                                              \
        for (int64_t s = 1; s < steps; s++) {                                                      \
            const char *ahead[2] = {a0 + at[later], a1 + at[later]};                               \
            later = later + 1 < steps ? later + 1 : 0;                                             \
            _tile_dpbf16ps(0, 4, 6);                                                               \
            fetch(ahead, as, ROWS, 0);                                                             \
            if (COLS > 1) _tile_dpbf16ps(1, 4, 7);                                                 \
            _tile_loadd(4, a0 + at[s], as);                                                        \
            fetch(ahead, as, ROWS, 1);                                                             \
            if (ROWS > 1) _tile_dpbf16ps(2, 5, 6);                                                 \
            _tile_loadd(6, b0 + bt[s], bs);                                                        \
            fetch(ahead, as, ROWS, 2);                                                             \
            if (ROWS > 1 && COLS > 1) _tile_dpbf16ps(3, 5, 7);                                     \
            if (COLS > 1) _tile_loadd(7, b1 + bt[s], bs);                                          \
            fetch(ahead, as, ROWS, 3);                                                             \
            if (ROWS > 1) _tile_loadd(5, a1 + at[s], as);                                          \
        }                                                                                          \
        _tile_dpbf16ps(0, 4, 6);                                                                   \
        if (COLS > 1) _tile_dpbf16ps(1, 4, 7);                                                     \
        if (ROWS > 1) _tile_dpbf16ps(2, 5, 6);                                                     \
        if (ROWS > 1 && COLS > 1) _tile_dpbf16ps(3, 5, 7);                                         \
        _tile_stored(0, c[0], cs);                                                                 \
        if (COLS > 1) _tile_stored(1, c[1], cs);                                                   \
        if (ROWS > 1) _tile_stored(2, c[0] + DG_AMX_SIDE * ldc, cs);                               \
        if (ROWS > 1 && COLS > 1) _tile_stored(3, c[1] + DG_AMX_SIDE * ldc, cs);                   \
    }

PRODUCT(product_1x1, 1, 1)
PRODUCT(product_1x2, 1, 2)
PRODUCT(product_2x1, 2, 1)
PRODUCT(product_2x2, 2, 2)

void dg_amx_product(int64_t steps, const dg_amx_operand *a, const dg_amx_operand *b, bool add,
                    float *const *c, int64_t ldc)
{
    if (a->n == 2)
        (b->n == 2 ? product_2x2 : product_2x1)(steps, a, b, add, c, ldc);
    else
        (b->n == 2 ? product_1x2 : product_1x1)(steps, a, b, add, c, ldc);
}

/* ---- rounding ---- */

TARGET static inline void round_row(const float *x, int64_t n, int64_t ahead, uint16_t *to)
{
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        _mm_prefetch(x + i + ahead, _MM_HINT_T0);
        _mm_prefetch(x + i + 16 + ahead, _MM_HINT_T0);
        _mm512_storeu_si512(to + i, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16),
                                                                 _mm512_loadu_ps(x + i)));
    }
    for (; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : (__mmask16)0xffff;
        _mm256_mask_storeu_epi16(to + i, m,
                                 (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(m, x + i)));
    }
}

/* to[i] = x[i], y[i] from the halves y and x of a vector. */
TARGET static inline __m512i mixed(__m512bh halves)
{
    static const uint16_t order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                       21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_loadu_si512(order), (__m512i)halves);
}

TARGET static inline void round_pairs(const float *x, const float *y, int64_t n, int64_t ahead,
                                      uint32_t *to)
{
    __mmask16 all = y ? 0xffff : 0;
    if (!y) y = x;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        _mm_prefetch(x + i + ahead, _MM_HINT_T0);
        _mm_prefetch(y + i + ahead, _MM_HINT_T0);
        _mm512_storeu_si512(to + i, mixed(_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(all, y + i),
                                                              _mm512_loadu_ps(x + i))));
    }
    if (i == n) return;
    __mmask16 m = (__mmask16)((1u << (n - i)) - 1);
    _mm512_mask_storeu_epi32(to + i, m,
                             mixed(_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(m & all, y + i),
                                                       _mm512_maskz_loadu_ps(m, x + i))));
}

/* Which of 16 numbers are of a row, in rows of 1, 2, 4, 8 or 16. */
TARGET static inline __mmask16 of_rows(const dg_bf16_frame *f)
{
    unsigned row = ((1u << f->n) - 1) << f->before, all = 0;
    for (int64_t i = 0; i < 16; i += f->ldt) all |= row << i;
    return (__mmask16)all;
}

TARGET static inline void round_short_rows(const dg_bf16_frame *f, const float *x, uint16_t *to)
{
    __mmask16 m = of_rows(f);
    int64_t n = f->rows * f->ldt, i = 0;
    for (x -= f->before; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(to + i),
                            (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(m, x + i)));
    __mmask16 end = (__mmask16)((1u << (n - i)) - 1);
    _mm256_mask_storeu_epi16(to + i, end,
                             (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(m & end, x + i)));
}

TARGET static inline void round_short_pairs(const dg_bf16_frame *f, const float *x, const float *y,
                                            uint32_t *to)
{
    __mmask16 m = of_rows(f), also = y ? m : 0;
    int64_t n = f->rows * f->ldt, i = 0;
    if (!y) y = x;
    for (x -= f->before, y -= f->before; i + 16 <= n; i += 16)
        _mm512_storeu_si512(to + i, mixed(_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(also, y + i),
                                                              _mm512_maskz_loadu_ps(m, x + i))));
    __mmask16 end = (__mmask16)((1u << (n - i)) - 1);
    _mm512_mask_storeu_epi32(to + i, end,
                             mixed(_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(also & end, y + i),
                                                       _mm512_maskz_loadu_ps(m & end, x + i))));
}

/* A few zeros, without the call that clearing a long row is worth. */
TARGET static inline void clear_pairs(uint32_t *to, int64_t n)
{
    for (; n > 16; n -= 16, to += 16) _mm512_storeu_si512(to, _mm512_setzero_si512());
    _mm512_mask_storeu_epi32(to, (__mmask16)((1u << n) - 1), _mm512_setzero_si512());
}

TARGET static inline void clear_row(uint16_t *to, int64_t n)
{
    for (; n > 16; n -= 16, to += 16) _mm256_storeu_si256((__m256i *)to, _mm256_setzero_si256());
    _mm256_mask_storeu_epi16(to, (__mmask16)((1u << n) - 1), _mm256_setzero_si256());
}

/* Sixteen kernels are `taps` vectors, in which number i * taps + tap is of kernel i and the tap. A
 * tap takes one permutation of each pair of vectors, and of that the lanes that are there. */
enum { DEALT = 32 }; /* taps at most; there are rarely more than 9 */

TARGET static inline __m512 dealt(const float *x, int64_t taps, __m512i place)
{
    __m512 all = _mm512_setzero_ps();
    __m512i pair = _mm512_srli_epi32(place, 5); /* permutations look at the low five bits alone */
    for (int64_t v = 0; v < taps; v += 2) {
        __mmask16 here = _mm512_cmpeq_epi32_mask(pair, _mm512_set1_epi32((int)(v / 2)));
        const float *even = x + 16 * v, *odd = v + 1 < taps ? even + 16 : even;
        all = _mm512_or_ps(all, _mm512_maskz_permutex2var_ps(here, _mm512_loadu_ps(even), place,
                                                             _mm512_loadu_ps(odd)));
    }
    return all;
}

TARGET static inline void deal_some(const float *x, int64_t taps, uint16_t *to, int64_t ldt)
{
    __m512i place =
        _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                           _mm512_set1_epi32((int)taps));
    for (int64_t tap = 0; tap < taps; tap++) {
        __m512 low = dealt(x, taps, place), high = dealt(x + 16 * taps, taps, place);
        _mm512_storeu_si512(to + tap * ldt, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        place = _mm512_add_epi32(place, _mm512_set1_epi32(1));
    }
}

#else /* no tiles: nothing of this runs, because nobody is ready */

bool dg_amx_ready(void)
{
    return false;
}

void dg_amx_begin(void)
{
}

void dg_amx_end(void)
{
}

void dg_amx_product(int64_t steps, const dg_amx_operand *a, const dg_amx_operand *b, bool add,
                    float *const *c, int64_t ldc)
{
    (void)steps, (void)a, (void)b, (void)add, (void)c, (void)ldc;
}

static inline void round_row(const float *x, int64_t n, int64_t ahead, uint16_t *to)
{
    (void)ahead;
    for (int64_t i = 0; i < n; i++) to[i] = dg_bf16_bits(x[i]);
}

static inline void round_pairs(const float *x, const float *y, int64_t n, int64_t ahead,
                               uint32_t *to)
{
    (void)ahead;
    for (int64_t i = 0; i < n; i++)
        to[i] = dg_bf16_bits(x[i]) | (y ? (uint32_t)dg_bf16_bits(y[i]) << 16 : 0);
}

static inline void round_short_rows(const dg_bf16_frame *f, const float *x, uint16_t *to)
{
    (void)f, (void)x, (void)to;
}

static inline void round_short_pairs(const dg_bf16_frame *f, const float *x, const float *y,
                                     uint32_t *to)
{
    (void)f, (void)x, (void)y, (void)to;
}

static inline void clear_pairs(uint32_t *to, int64_t n)
{
    memset(to, 0, sizeof *to * (size_t)n);
}

static inline void clear_row(uint16_t *to, int64_t n)
{
    memset(to, 0, sizeof *to * (size_t)n);
}

enum { DEALT = 0 };

static inline void deal_some(const float *x, int64_t taps, uint16_t *to, int64_t ldt)
{
    (void)x, (void)taps, (void)to, (void)ldt;
}

#define TARGET

#endif

TARGET void dg_bf16_row(const float *x, int64_t n, uint16_t *to)
{
    round_row(x, n, 0, to);
}

TARGET void dg_bf16_pairs(const float *x, const float *y, int64_t n, uint32_t *to)
{
    round_pairs(x, y, n, 0, to);
}

/* Zeros between the numbers of a row and those of the next. */
static inline int64_t gap_behind(const dg_bf16_frame *f, int64_t row)
{
    return f->ldt - f->n - (row + 1 == f->rows ? f->before : 0);
}

/* Rows that lie as they shall stand, several of them in sixteen numbers. */
static inline bool are_short(const dg_bf16_frame *f)
{
    return dg_amx_ready() && f->ldx == f->ldt && f->ldt <= 16 && 16 % f->ldt == 0;
}

TARGET void dg_bf16_rows(const dg_bf16_frame *f, const float *x, uint16_t *to)
{
    if (are_short(f)) {
        round_short_rows(f, x, to);
        return;
    }
    clear_row(to, f->before);
    to += f->before;
    for (int64_t i = 0; i < f->rows; i++, x += f->ldx, to += f->ldt) {
        round_row(x, f->n, f->ahead, to);
        clear_row(to + f->n, gap_behind(f, i));
    }
}

TARGET void dg_bf16_pair_rows(const dg_bf16_frame *f, const float *x, const float *y, uint32_t *to)
{
    if (are_short(f)) {
        round_short_pairs(f, x, y, to);
        return;
    }
    clear_pairs(to, f->before);
    to += f->before;
    for (int64_t i = 0; i < f->rows; i++, to += f->ldt) {
        round_pairs(x + i * f->ldx, y ? y + i * f->ldx : NULL, f->n, f->ahead, to);
        clear_pairs(to + f->n, gap_behind(f, i));
    }
}

TARGET void dg_bf16_deal(const float *x, int64_t taps, uint16_t *to, int64_t ldt)
{
    if (taps == 9) /* a constant: loops unroll */
        deal_some(x, 9, to, ldt);
    else if (taps <= DEALT)
        deal_some(x, taps, to, ldt);
    else
        for (int64_t e = 0; e < 32 * taps; e++) to[e % taps * ldt + e / taps] = dg_bf16_bits(x[e]);
}

TARGET void dg_bf16_mix(const uint16_t *x, const uint16_t *y, int64_t n, uint32_t *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = x[i] | (uint32_t)y[i] << 16;
}

void dg_bf16_turn(int64_t rows, int64_t cols, const uint32_t *from, int64_t ldf, uint32_t *to,
                  int64_t ldt)
{
    /* words as floats: moved, never computed with */
    dg_tile_transpose(DG_AVX512, rows, cols, (const float *)(const void *)from, ldf,
                      (float *)(void *)to, ldt);
}
