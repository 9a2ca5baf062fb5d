/* str.c: interned strings, growing texts, numbers as text and back, edit distance. All of it is
 * independent of the locale: a decimal comma in the environment changes no byte. */
#include "compiler/base/str.h"

#include "compiler/base/map.h"
#include "compiler/base/os.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct dg_strings {
    dg_arena *arena;
    struct entry { /* 16 bytes: thousands are looked at in no order */
        const char *text; /* NULL: free */
        uint32_t hash, length;
    } * slot;
    size_t n, size; /* size is a power of two */
};

dg_strings *dg_strings_new(dg_arena *a)
{
    dg_strings *s = DG_NEW(a, dg_strings);
    s->arena = a;
    s->size = 64;
    s->slot = DG_NEW_ARRAY(a, struct entry, s->size);
    return s;
}

dg_arena *dg_strings_arena(const dg_strings *s)
{
    return s->arena;
}

static void strings_grow(dg_strings *s)
{
    struct entry *old = s->slot;
    size_t old_size = s->size;
    enum { SMALL = 4096 };
    s->size *= s->size < SMALL ? 4 : 2; /* what is left behind stays in the arena */
    s->slot = DG_NEW_ARRAY(s->arena, struct entry, s->size);
    for (size_t k = 0; k < old_size; k++) {
        if (!old[k].text) continue;
        size_t i = old[k].hash & (s->size - 1);
        while (s->slot[i].text) i = (i + 1) & (s->size - 1);
        s->slot[i] = old[k];
    }
}

/* For this table alone: most texts are names of a few bytes, which XXH64 would be long about. */
static uint32_t hash_text(const char *text, size_t n)
{
    uint64_t hash = n, word;
    for (; n >= sizeof word; text += sizeof word, n -= sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = dg_hash_add(hash, word);
    }
    for (word = 0; n > 0; n--) word = word << 8 | (unsigned char)*text++;
    return (uint32_t)(dg_hash_add(dg_hash_add(hash, word), 0) >> 32);
}

dg_str dg_intern(dg_strings *s, const char *text, size_t length)
{
    uint32_t hash = hash_text(text, length);
    size_t i = hash & (s->size - 1);
    for (; s->slot[i].text; i = (i + 1) & (s->size - 1)) {
        struct entry *e = &s->slot[i];
        if (e->hash == hash && e->length == length &&
            (length == 0 || memcmp(e->text, text, length) == 0))
            return e->text;
    }
    const char *kept = dg_arena_text(s->arena, text, length);
    s->slot[i] = (struct entry){kept, hash, (uint32_t)length};
    if (++s->n > s->size / 2) strings_grow(s);
    return kept;
}

dg_str dg_intern_z(dg_strings *s, const char *text)
{
    return dg_intern(s, text, strlen(text));
}

dg_str dg_intern_printf(dg_strings *s, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char small[256], *large = NULL;
    int n = dg_vformat(small, sizeof small, format, args);
    if (n < 0) n = 0;
    if ((size_t)n >= sizeof small) {
        large = malloc((size_t)n + 1);
        if (!large) dg_out_of_memory();
        dg_vformat(large, (size_t)n + 1, format, again);
    }
    va_end(again);
    va_end(args);
    dg_str kept = dg_intern(s, large ? large : small, (size_t)n);
    free(large);
    return kept;
}

/* ---- formats ---- */

/* Text that is being put into `room` bytes; as much as fits, the length counted all the same. */
typedef struct piece {
    char *out;
    size_t room, n;
} piece;

static void put(piece *p, const char *text, size_t length)
{
    if (p->n + 1 < p->room) {
        size_t fits = p->room - p->n - 1;
        memcpy(p->out + p->n, text, length < fits ? length : fits);
    }
    p->n += length;
}

static void put_whole(piece *p, long long x)
{
    char digits[20];
    size_t at = sizeof digits;
    unsigned long long rest = x < 0 ? 0 - (unsigned long long)x : (unsigned long long)x;
    do digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (x < 0) put(p, "-", 1);
    put(p, digits + at, sizeof digits - at);
}

int dg_vformat(char *out, size_t room, const char *format, va_list args)
{
    piece p = {out, room, 0};
    while (*format) {
        if (*format != '%') {
            const char *plain = format;
            while (*format && *format != '%') format++;
            put(&p, plain, (size_t)(format - plain));
        } else if (format[1] == 's') {
            const char *text = va_arg(args, const char *);
            put(&p, text, strlen(text));
            format += 2;
        } else if (format[1] == 'd') {
            put_whole(&p, va_arg(args, int));
            format += 2;
        } else if (strncmp(format, "%lld", 4) == 0) {
            put_whole(&p, va_arg(args, long long));
            format += 4;
        } else if (strncmp(format, "%.*s", 4) == 0) {
            int most = va_arg(args, int); /* below 0: all of it */
            const char *text = va_arg(args, const char *);
            put(&p, text, strnlen(text, (size_t)most));
            format += 4;
        } else { /* the rest of the format, whatever it holds */
            size_t begin = p.n < room ? p.n : room;
            int n = vsnprintf(begin < room ? out + begin : NULL, room - begin, format, args);
            if (n < 0) return n;
            p.n += (size_t)n;
            break;
        }
    }
    if (room > 0) out[p.n < room ? p.n : room - 1] = '\0';
    return (int)p.n;
}

uint64_t dg_hash(const void *bytes, size_t n)
{
    return XXH64(bytes, n, 0);
}

/* Optimal string alignment: insertions, deletions, changes, and swaps of neighbours, each counted
 * once. */
int dg_edit_distance(const char *a, const char *b, int limit)
{
    enum { LONGEST = 128 };
    size_t na = strlen(a), nb = strlen(b), gap = na > nb ? na - nb : nb - na;
    if (limit < 0 || gap > (size_t)limit) return limit + 1;
    if (na > LONGEST || nb > LONGEST) return strcmp(a, b) == 0 ? 0 : limit + 1;

    int rows[3][LONGEST + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= nb; j++) last[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int least = now[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int d = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < d) d = last[j] + 1;
            if (now[j - 1] + 1 < d) d = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < d)
                d = before[j - 2] + 1;
            now[j] = d;
            if (d < least) least = d;
        }
        if (least > limit + 1) return limit + 1; /* a swap may still win one back */
        int *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[nb] > limit ? limit + 1 : last[nb];
}

static void text_reserve(dg_text *t, size_t more)
{
    if (more < t->room && t->n + more < t->room) return;
    if (more > SIZE_MAX / 4 || t->n > SIZE_MAX / 4) dg_out_of_memory();
    size_t room = t->room < 64 ? 64 : 2 * t->room;
    if (room < t->n + more + 1) room = t->n + more + 1;
    char *at = realloc(t->at, room);
    if (!at) dg_out_of_memory();
    t->at = at;
    t->room = room;
}

void dg_text_add(dg_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    text_reserve(t, 0);
    size_t free_room = t->room - t->n;
    int n = dg_vformat(t->at + t->n, free_room, format, args);
    if (n > 0 && (size_t)n >= free_room) {
        text_reserve(t, (size_t)n);
        dg_vformat(t->at + t->n, (size_t)n + 1, format, again);
    }
    va_end(again);
    va_end(args);
    if (n > 0) t->n += (size_t)n;
}

void dg_text_addn(dg_text *t, const char *bytes, size_t n)
{
    if (n == 0) return;
    text_reserve(t, n);
    memcpy(t->at + t->n, bytes, n);
    t->n += n;
    t->at[t->n] = '\0';
}

void dg_text_free(dg_text *t)
{
    free(t->at);
    *t = (dg_text){0};
}

/* printf and strtod obey the thread's locale; glibc's "C" locale object is static, so taking it
 * costs nothing. */
static void format_c(char *out, size_t room, int digits, double x)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), old = uselocale(c);
    snprintf(out, room, "%.*g", digits, x);
    uselocale(old);
    freelocale(c);
}

static double read_c(const char *text)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double x = strtod_l(text, NULL, c);
    freelocale(c);
    return x;
}

static float read_c_float(const char *text)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    float x = strtof_l(text, NULL, c);
    freelocale(c);
    return x;
}

/* "inf", "-inf", "nan"; false for a finite number. */
static bool special_text(double x, char buffer[32])
{
    if (isfinite(x)) return false;
    strcpy(buffer, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
    return true;
}

static const char *with_point(char buffer[32])
{
    if (!strpbrk(buffer, ".e")) strcat(buffer, ".0");
    return buffer;
}

/* A decimal of up to 15 digits survives a normal double, so 15 digits (%g drops zeros) give the
 * shortest form if any shorter one exists. Below the normal range the digits are fewer, and each
 * count is tried. */
const char *dg_double_text(double x, char buffer[32])
{
    if (special_text(x, buffer)) return buffer;
    int digits = x != 0 && fabs(x) < DBL_MIN ? 1 : 15;
    for (; digits <= 17; digits++) {
        format_c(buffer, 32, digits, x);
        if (read_c(buffer) == x) break;
    }
    return with_point(buffer);
}

const char *dg_float_text(float x, char buffer[32])
{
    if (special_text((double)x, buffer)) return buffer;
    int digits = x != 0 && fabsf(x) < FLT_MIN ? 1 : 6;
    for (; digits <= 9; digits++) {
        format_c(buffer, 32, digits, (double)x);
        if (read_c_float(buffer) == x) break;
    }
    return with_point(buffer);
}

static size_t skip_digits(const char *text, size_t n, size_t i)
{
    while (i < n && text[i] >= '0' && text[i] <= '9') i++;
    return i;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool looks_decimal(const char *text, size_t n)
{
    size_t i = n > 0 && (text[0] == '+' || text[0] == '-'), begin = i;
    i = skip_digits(text, n, i);
    size_t digits = i - begin;
    if (i < n && text[i] == '.') {
        begin = ++i;
        i = skip_digits(text, n, i);
        digits += i - begin;
    }
    if (digits == 0) return false;
    if (i < n && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < n && (text[i] == '+' || text[i] == '-')) i++;
        begin = i;
        i = skip_digits(text, n, i);
        if (i == begin) return false;
    }
    return i == n;
}

bool dg_parse_double(const char *text, size_t n, double *out)
{
    if (!looks_decimal(text, n)) return false;
    char small[64];
    dg_text large = {0};
    if (n < sizeof small) {
        memcpy(small, text, n);
        small[n] = '\0';
    } else {
        dg_text_addn(&large, text, n);
    }
    double x = read_c(large.at ? large.at : small);
    dg_text_free(&large);
    if (!isfinite(x)) return false;
    *out = x;
    return true;
}

bool dg_parse_int(const char *text, size_t n, int64_t *out)
{
    bool negative = n > 0 && text[0] == '-';
    size_t i = n > 0 && (text[0] == '+' || text[0] == '-');
    if (i == n) return false;
    int64_t x = 0; /* counted downwards, where there is one number more */
    for (; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_sub_overflow(x, text[i] - '0', &x))
            return false;
    }
    if (!negative && x == INT64_MIN) return false;
    *out = negative ? x : -x;
    return true;
}

size_t dg_utf8_length(const char *bytes, size_t n)
{
    if (n == 0) return 0;
    const unsigned char *b = (const unsigned char *)bytes;
    if (b[0] < 0x80) return 1;
    size_t length = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
    if (b[0] < 0xc2 || b[0] > 0xf4 || n < length) return 0;
    for (size_t i = 1; i < length; i++)
        if ((b[i] & 0xc0) != 0x80) return 0;
    if (b[0] == 0xe0 && b[1] < 0xa0) return 0;  /* overlong */
    if (b[0] == 0xed && b[1] >= 0xa0) return 0; /* surrogate */
    if (b[0] == 0xf0 && b[1] < 0x90) return 0;  /* overlong */
    if (b[0] == 0xf4 && b[1] >= 0x90) return 0; /* above U+10FFFF */
    return length;
}

/* Characters that a terminal would act on: C0, DEL, C1, line separators, and the bidirectional
 * controls, which can make a line read differently from what it says. */
static bool harmless(const char *bytes, size_t length)
{
    const unsigned char *b = (const unsigned char *)bytes;
    if (length == 1) return b[0] >= 0x20 && b[0] != 0x7f;
    if (length == 2) return !(b[0] == 0xc2 && b[1] < 0xa0) && !(b[0] == 0xd8 && b[1] == 0x9c);
    if (length == 3 && b[0] == 0xe2 && b[1] == 0x80)
        return !(b[2] >= 0x8b && b[2] <= 0x8f) && !(b[2] >= 0xa8 && b[2] <= 0xae);
    if (length == 3 && b[0] == 0xe2 && b[1] == 0x81) return !(b[2] >= 0xa0 && b[2] <= 0xaf);
    if (length == 3 && b[0] == 0xef && b[1] == 0xbb) return b[2] != 0xbf;
    return true;
}

void dg_text_escape(dg_text *t, const char *bytes, size_t n, size_t columns)
{
    size_t column = 0, mark = t->n; /* mark: the last place where an ellipsis still fits */
    for (size_t i = 0; i < n;) {
        size_t length = dg_utf8_length(bytes + i, n - i);
        bool plain = length > 0 && harmless(bytes + i, length);
        if (length == 0) length = 1;
        size_t width = plain ? 1 : 4 * length;
        if (column + width > columns) {
            t->n = mark;
            if (columns > 0) dg_text_addn(t, "\xe2\x80\xa6", 3);
            return;
        }
        if (plain) {
            dg_text_addn(t, bytes + i, length);
        } else {
            for (size_t k = 0; k < length; k++)
                dg_text_add(t, "\\x%02x", (unsigned char)bytes[i + k]);
        }
        column += width;
        if (column < columns) mark = t->n;
        i += length;
    }
}

void dg_text_quote(dg_text *t, const char *bytes, size_t n)
{
    dg_text_escape(t, bytes, n, 80);
}

const char *dg_bytes_text(uint64_t bytes, char buffer[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    int u = 0;
    uint64_t whole = bytes, tenths = 0;
    while (u < 6 && (whole >= 1024 || (whole == 1023 && tenths == 10))) {
        u++;
        uint64_t unit = UINT64_C(1) << 10 * u;
        whole = bytes / unit;
        /* Rounded to the nearest tenth; the remainder is shifted first, so that nothing overflows.
         */
        uint64_t rest = bytes % unit >> (u > 1 ? 10 * (u - 1) : 0);
        tenths = (rest * 10 + 512) / 1024;
    }
    if (tenths == 10) {
        whole++;
        tenths = 0;
    }
    if (tenths == 0)
        snprintf(buffer, 32, "%" PRIu64 " %s", whole, units[u]);
    else
        snprintf(buffer, 32, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, units[u]);
    return buffer;
}
