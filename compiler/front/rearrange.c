/* rearrange.c: "b (h d) n -> b h n d": splits, permutes and merges axes by name.
 *
 * In     a pattern, a value, sizes given by keyword.
 * Out    reshape, transpose, reshape (those that do something); poison with a message when the
 * pattern does not fit. */
#include "compiler/front/patterns.h"

#include <stdio.h>
#include <string.h>

#define MAX_AXES (2 * DG_MAX_RANK)

/* One side of the arrow: names in order, cut into groups; a name outside brackets is a group of its
 * own. */
typedef struct side {
    int n_names, n_groups;
    struct {
        const char *text;
        int length, at;
    } name[MAX_AXES];
    int first[MAX_AXES + 1]; /* of group g: names first[g] .. first[g + 1] - 1 */
} side;

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int find(const side *s, const char *text, int length)
{
    for (int i = 0; i < s->n_names; i++) {
        if (s->name[i].length == length && memcmp(s->name[i].text, text, (size_t)length) == 0)
            return i;
    }
    return -1;
}

static const char *text_of(const side *s, int i, char buffer[64])
{
    snprintf(buffer, 64, "%.*s", s->name[i].length < 60 ? s->name[i].length : 60, s->name[i].text);
    return buffer;
}

/* Reads up to "->" or the end; the offset there, or -1 after an error. */
static int read_side(dg_build *b, const char *pattern, int at, side *s, dg_pattern_error *err)
{
    bool inside = false;
    for (;; at++) {
        char c = pattern[at];
        if (c == ' ') continue;
        if (c == '\0' || (c == '-' && pattern[at + 1] == '>')) break;
        if (c == '(' && !inside) {
            if (s->n_groups == MAX_AXES) {
                dg_pattern_fail(b, err, at, "more than %d axes in the pattern", MAX_AXES);
                return -1;
            }
            s->first[s->n_groups] = s->n_names;
            inside = true;
            continue;
        }
        if (c == ')' && inside) {
            if (s->first[s->n_groups] == s->n_names) {
                dg_pattern_fail(b, err, at, "the pattern has an empty group `()`");
                return -1;
            }
            s->n_groups++;
            inside = false;
            continue;
        }
        if (!is_name_start(c)) {
            dg_pattern_fail(
                b, err, at,
                "the pattern has an unexpected `%c`; it is made of axis names, `( )` and `->`", c);
            return -1;
        }
        int start = at;
        while (is_name_start(pattern[at]) || (pattern[at] >= '0' && pattern[at] <= '9')) at++;
        if (find(s, pattern + start, at - start) >= 0) {
            dg_pattern_fail(b, err, start, "axis `%.*s` stands twice on one side of the pattern",
                            at - start < 60 ? at - start : 60, pattern + start);
            return -1;
        }
        if (s->n_names == MAX_AXES || s->n_groups == MAX_AXES) {
            dg_pattern_fail(b, err, start, "more than %d axes in the pattern", MAX_AXES);
            return -1;
        }
        if (!inside) s->first[s->n_groups++] = s->n_names;
        s->name[s->n_names].text = pattern + start;
        s->name[s->n_names].length = at - start;
        s->name[s->n_names++].at = start;
        at--;
    }
    if (inside) {
        dg_pattern_fail(b, err, at, "a `(` of the pattern is not closed");
        return -1;
    }
    s->first[s->n_groups] = s->n_names;
    return at;
}

/* Every name of one side stands on the other. */
static bool same_names(dg_build *b, const side *l, const side *r, dg_pattern_error *err)
{
    char text[64];
    for (int i = 0; i < l->n_names; i++) {
        if (find(r, l->name[i].text, l->name[i].length) < 0) {
            dg_pattern_fail(b, err, l->name[i].at,
                            "axis `%s` is missing on the right of the pattern",
                            text_of(l, i, text));
            return false;
        }
    }
    for (int i = 0; i < r->n_names; i++) {
        if (find(l, r->name[i].text, r->name[i].length) < 0) {
            dg_pattern_fail(b, err, r->name[i].at,
                            "axis `%s` is missing on the left of the pattern", text_of(r, i, text));
            return false;
        }
    }
    return true;
}

/* size[i] of every name on the left: given, or what the axis leaves over. */
static bool solve(dg_build *b, const side *l, dg_shape x, int64_t *size, dg_pattern_error *err)
{
    char text[64], other[64];
    for (int g = 0; g < l->n_groups; g++) {
        int open = -1;
        int64_t known = 1;
        for (int i = l->first[g]; i < l->first[g + 1]; i++) {
            if (size[i] == 0 && open >= 0) {
                dg_pattern_fail(b, err, l->name[i].at,
                                "the sizes of both `%s` and `%s` are unknown; give one, as %s=...",
                                text_of(l, open, text), text_of(l, i, other), other);
                return false;
            }
            if (size[i] > x.dim[g]) {
                dg_pattern_fail(
                    b, err, l->name[i].at,
                    "axis `%s` of size %lld does not fit into axis %d, which has size %lld",
                    text_of(l, i, text), (long long)size[i], g, (long long)x.dim[g]);
                return false;
            }
            if (size[i] == 0)
                open = i;
            else if (known <= x.dim[g]) /* else it cannot fit any more; no overflow either way */
                known *= size[i];
        }
        if (open >= 0 && x.dim[g] % known == 0) size[open] = x.dim[g] / known;
        if (open >= 0 && size[open] > 0) continue;
        if (open >= 0 || known != x.dim[g]) {
            int at = l->first[g];
            if (open < 0 && l->first[g + 1] - at == 1)
                dg_pattern_fail(b, err, l->name[at].at, "axis `%s` has size %lld, %lld was given",
                                text_of(l, at, text), (long long)x.dim[g], (long long)known);
            else
                dg_pattern_fail(b, err, l->name[at].at,
                                "axis %d has size %lld, which does not split into %s%lld", g,
                                (long long)x.dim[g], open >= 0 ? "parts of " : "",
                                (long long)known);
            return false;
        }
    }
    return true;
}

dg_value dg_rearrange(dg_build *b, const char *pattern, dg_value x, const char *const *names,
                      const int64_t *sizes, int n, dg_pattern_error *err)
{
    memset(err, 0, sizeof *err);
    side l = {0}, r = {0};
    int at = read_side(b, pattern, 0, &l, err);
    if (at < 0) return dg_poison(b);
    if (pattern[at] == '\0')
        return dg_pattern_fail(b, err, at, "the pattern lacks `->` and the axes of the result");
    at = read_side(b, pattern, at + 2, &r, err);
    if (at < 0) return dg_poison(b);
    if (pattern[at] != '\0') return dg_pattern_fail(b, err, at, "the pattern has a second `->`");
    if (!same_names(b, &l, &r, err)) return dg_poison(b);

    int64_t size[MAX_AXES] = {0};
    for (int i = 0; i < n; i++) {
        int k = find(&l, names[i], (int)strlen(names[i]));
        if (k < 0) return dg_pattern_fail(b, err, 0, "the pattern has no axis `%s`", names[i]);
        if (sizes[i] < 1)
            return dg_pattern_fail(b, err, l.name[k].at, "axis `%s` cannot have size %lld",
                                   names[i], (long long)sizes[i]);
        size[k] = sizes[i];
    }
    if (dg_dtype_of(b, x) == DG_POISON) return dg_poison(b);
    dg_shape s = dg_shape_of(b, x);
    if (l.n_groups != s.rank)
        return dg_pattern_fail(b, err, 0,
                               "the operand has rank %d, the left of the pattern %d ax%ss", s.rank,
                               l.n_groups, l.n_groups == 1 ? "i" : "e");
    if (l.n_names > DG_MAX_RANK || r.n_groups > DG_MAX_RANK)
        return dg_pattern_fail(b, err, 0, "the pattern names %d axes; at most %d are possible",
                               l.n_names, DG_MAX_RANK);
    if (!solve(b, &l, s, size, err)) return dg_poison(b);

    dg_shape split = {.rank = l.n_names}, merged = {.rank = r.n_groups};
    int perm[DG_MAX_RANK];
    for (int i = 0; i < l.n_names; i++) split.dim[i] = size[i];
    for (int g = 0; g < r.n_groups; g++) {
        merged.dim[g] = 1;
        for (int i = r.first[g]; i < r.first[g + 1]; i++) {
            perm[i] = find(&l, r.name[i].text, r.name[i].length);
            merged.dim[g] *= size[perm[i]];
        }
    }
    bool moved = false;
    for (int i = 0; i < l.n_names; i++) moved |= perm[i] != i;
    if (!moved) return dg_reshape_if(b, x, merged);
    return dg_reshape_if(b, dg_transpose(b, dg_reshape_if(b, x, split), perm), merged);
}
