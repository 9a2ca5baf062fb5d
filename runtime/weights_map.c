/* weights_map.c: reads name maps and applies their steps forwards and backwards; moves bytes, never
 * numbers. */
#include "runtime/weights_map.h"

#include "compiler/base/os.h"

#include <string.h>

typedef struct reader {
    dg_diag *diag;
    dg_arena *arena;
    const char *path, *text;
    int line;
} reader;

__attribute__((format(printf, 3, 4))) static bool refuse(reader *r, const char *at,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *what = dg_arena_vprintf(r->arena, format, args);
    va_end(args);
    dg_error_at(r->diag, "E425",
                dg_arena_printf(r->arena, "%s:%d:%d", r->path, r->line, (int)(at - r->text) + 1),
                "%s", what);
    return false;
}

static const char *trim(dg_arena *a, const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t')) from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r')) to--;
    return dg_arena_text(a, from, (size_t)(to - from));
}

static bool read_step(reader *r, const char *from, const char *to, dg_map_line *l)
{
    const char *text = trim(r->arena, from, to);
    if (l->n_steps == 8) return refuse(r, from, "more than 8 steps");
    dg_map_step *s = &l->steps[l->n_steps++];
    if (strcmp(text, "t") == 0) {
        s->kind = DG_MAP_T;
        return true;
    }
    if (strncmp(text, "cat ", 4) == 0) {
        int64_t axis;
        s->kind = DG_MAP_CAT;
        if (!dg_parse_int(text + 4, strlen(text + 4), &axis) || axis < 0 || axis >= DG_MAX_RANK)
            return refuse(r, from, "cat wants an axis");
        if (l->n_steps != 1)
            return refuse(r, from, "cat has to be the first step: it joins what stands left of it");
        s->axis = (int)axis;
        return true;
    }
    if (strncmp(text, "reshape ", 8) != 0)
        return refuse(r, from, "'%s' is not one of: t, reshape A,B,..., cat AXIS", text);
    s->kind = DG_MAP_RESHAPE;
    for (const char *at = text + 8; *at;) {
        size_t n = strcspn(at, ",");
        const char *dim = trim(r->arena, at, at + n);
        int64_t v;
        if (s->shape.rank == DG_MAX_RANK || !dg_parse_int(dim, strlen(dim), &v) || v < 1)
            return refuse(r, from, "reshape wants sizes with commas");
        s->shape.dim[s->shape.rank++] = v;
        at += n + (at[n] == ',');
    }
    return true;
}

static bool read_line(reader *r, const char *end, dg_map_line *l)
{
    const char *equals = memchr(r->text, '=', (size_t)(end - r->text));
    if (!equals) return refuse(r, r->text, "want: ours = theirs");
    l->ours = trim(r->arena, r->text, equals);
    l->line = r->line;
    if (!l->ours[0]) return refuse(r, r->text, "nothing stands left of '='");
    const char *bar = memchr(equals, '|', (size_t)(end - equals)), *names = bar ? bar : end;
    DG_VEC(const char *) theirs = {0};
    for (const char *at = equals + 1; at < names || theirs.n == 0;) {
        size_t left = at < names ? (size_t)(names - at) : 0;
        const char *comma = memchr(at, ',', left), *stop = comma ? comma : names;
        const char *name = trim(r->arena, at, stop);
        if (!name[0]) {
            dg_vec_free(&theirs);
            return refuse(r, at, "a name is missing");
        }
        dg_vec_push(&theirs, name);
        at = stop + 1;
    }
    l->n_theirs = (int)theirs.n;
    dg_vec_seal(&theirs, r->arena, l->theirs);
    while (bar) {
        const char *next = memchr(bar + 1, '|', (size_t)(end - bar - 1));
        if (!read_step(r, bar + 1, next ? next : end, l)) return false;
        bar = next;
    }
    bool joins = l->n_steps && l->steps[0].kind == DG_MAP_CAT;
    if (l->n_theirs > 1 && !joins) return refuse(r, r->text, "several names want `| cat AXIS`");
    return true;
}

bool dg_name_map_read(dg_diag *d, dg_arena *a, const char *path, dg_name_map *out)
{
    dg_file f;
    memset(out, 0, sizeof *out);
    out->path = path;
    if (!dg_file_read(d, path, 16 << 20, &f)) return false;
    const char *text = dg_arena_text(a, (const char *)f.bytes, f.length);
    dg_file_close(&f);
    reader r = {d, a, path, text, 1};
    bool ok = true;
    for (; *r.text && ok; r.line++) {
        size_t n = strcspn(r.text, "\n");
        size_t code = strcspn(r.text, "#\n"); /* a comment ends the line */
        if (trim(a, r.text, r.text + code)[0]) {
            dg_map_line l = {0};
            ok = read_line(&r, r.text + code, &l);
            if (ok) dg_vec_push(&out->lines, l);
        }
        r.text += n + (r.text[n] == '\n');
    }
    return ok;
}

/* ---- wildcards ---- */

typedef struct binding {
    const char *name, *text;
    size_t name_n, text_n;
} binding;

static bool match(const char *pattern, const char *text, binding *b, int *n)
{
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *text++) return false;
            continue;
        }
        const char *close = strchr(pattern, '}');
        if (!close || *n == 8) return false;
        size_t length = 0;
        /* as long as the rest still matches: shortest first */
        for (;; length++) {
            int before = *n;
            b[(*n)++] = (binding){pattern + 1, text, (size_t)(close - pattern - 1), length};
            if (length > 0 && match(close + 1, text + length, b, n)) return true;
            *n = before;
            if (!text[length] || text[length] == '.') return false;
        }
    }
    return *text == 0;
}

static const char *fill(dg_arena *a, const char *pattern, const binding *b, int n)
{
    dg_text out = {0};
    while (*pattern) {
        const char *close = *pattern == '{' ? strchr(pattern, '}') : NULL;
        int i = 0;
        size_t length = close ? (size_t)(close - pattern - 1) : 0;
        while (close && i < n &&
               !(b[i].name_n == length && memcmp(b[i].name, pattern + 1, length) == 0))
            i++;
        if (close && i < n) {
            dg_text_addn(&out, b[i].text, b[i].text_n);
            pattern = close + 1;
        } else {
            dg_text_addn(&out, pattern++, 1);
        }
    }
    const char *text = dg_arena_text(a, out.at ? out.at : "", out.n);
    dg_text_free(&out);
    return text;
}

const dg_map_line *dg_name_map_find(const dg_name_map *m, dg_arena *a, const char *ours,
                                    const char ***theirs)
{
    for (size_t i = 0; i < m->lines.n; i++) {
        const dg_map_line *l = &m->lines.at[i];
        binding b[8];
        int n = 0;
        if (!match(l->ours, ours, b, &n)) continue;
        *theirs = DG_NEW_ARRAY(a, const char *, l->n_theirs);
        for (int k = 0; k < l->n_theirs; k++) (*theirs)[k] = fill(a, l->theirs[k], b, n);
        return l;
    }
    return NULL;
}

/* ---- steps ---- */

static dg_map_tensor transposed(dg_arena *a, size_t size, const dg_map_tensor *t)
{
    int64_t rows = t->shape.dim[0], cols = t->shape.dim[1];
    dg_map_tensor out = {{2, {cols, rows}}, dg_arena_alloc(a, (size_t)(rows * cols) * size)};
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            memcpy(out.data + (size_t)(c * rows + r) * size,
                   t->data + (size_t)(r * cols + c) * size, size);
    return out;
}

static int64_t product(const dg_shape *s, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= s->dim[i];
    return n;
}

/* Joins or (apart) parts along the axis; shapes are known to agree. */
static void move_parts(size_t size, int axis, const dg_map_tensor *whole,
                       const dg_map_tensor *parts, int n, bool apart)
{
    int64_t outer = product(&whole->shape, 0, axis),
            inner = product(&whole->shape, axis + 1, whole->shape.rank);
    int64_t row = whole->shape.dim[axis] * inner, at = 0;
    for (int i = 0; i < n; i++) {
        int64_t run = parts[i].shape.dim[axis] * inner;
        for (int64_t o = 0; o < outer; o++) {
            uint8_t *w = whole->data + (size_t)(o * row + at) * size,
                    *p = parts[i].data + (size_t)(o * run) * size;
            memcpy(apart ? p : w, apart ? w : p, (size_t)run * size);
        }
        at += run;
    }
}

static bool cat_shape(int axis, const dg_map_tensor *parts, int n, dg_shape *out)
{
    *out = parts[0].shape;
    if (axis >= out->rank) return false;
    for (int i = 1; i < n; i++) {
        dg_shape s = parts[i].shape;
        if (s.rank != out->rank) return false;
        for (int k = 0; k < s.rank; k++)
            if (k != axis && s.dim[k] != out->dim[k]) return false;
        out->dim[axis] += s.dim[axis];
    }
    return true;
}

bool dg_map_forward(const dg_map_line *l, dg_arena *a, size_t size, const dg_map_tensor *theirs,
                    dg_map_tensor *ours, const char **why)
{
    dg_map_tensor t = theirs[0];
    for (int i = 0; i < l->n_steps; i++) {
        const dg_map_step *s = &l->steps[i];
        switch (s->kind) {
        case DG_MAP_T:
            if (t.shape.rank != 2)
                return *why = "t swaps the axes of a matrix; this tensor has another rank", false;
            t = transposed(a, size, &t);
            break;
        case DG_MAP_RESHAPE:
            if (dg_shape_count(&s->shape) != dg_shape_count(&t.shape))
                return *why = "reshape to another number of elements", false;
            t.shape = s->shape;
            break;
        case DG_MAP_CAT: {
            dg_map_tensor whole;
            if (!cat_shape(s->axis, theirs, l->n_theirs, &whole.shape))
                return *why = "cat: shapes differ beside its axis", false;
            whole.data = dg_arena_alloc(a, (size_t)dg_shape_count(&whole.shape) * size);
            move_parts(size, s->axis, &whole, theirs, l->n_theirs, false);
            t = whole;
            break;
        }
        }
    }
    *ours = t;
    return true;
}

bool dg_map_backward(const dg_map_line *l, dg_arena *a, size_t size, const dg_map_tensor *ours,
                     dg_map_tensor *theirs, const char **why)
{
    /* The shapes between the steps, forwards from theirs; then the data, backwards from ours. */
    dg_shape shape[9] = {theirs[0].shape};
    for (int i = 0; i < l->n_steps; i++) {
        const dg_map_step *s = &l->steps[i];
        shape[i + 1] = shape[i];
        if (s->kind == DG_MAP_T) {
            shape[i + 1].dim[0] = shape[i].dim[1];
            shape[i + 1].dim[1] = shape[i].dim[0];
        } else if (s->kind == DG_MAP_RESHAPE) {
            shape[i + 1] = s->shape;
        } else if (!cat_shape(s->axis, theirs, l->n_theirs, &shape[i + 1])) {
            return *why = "cat: shapes differ beside its axis", false;
        }
    }
    if (!dg_shape_equal(&shape[l->n_steps], &ours->shape))
        return *why = "the steps do not lead to this shape", false;
    dg_map_tensor t = *ours;
    for (int i = l->n_steps; i-- > 0;) {
        const dg_map_step *s = &l->steps[i];
        if (s->kind == DG_MAP_T)
            t = transposed(a, size, &t);
        else if (s->kind == DG_MAP_RESHAPE)
            t.shape = shape[i];
        else {
            for (int k = 0; k < l->n_theirs; k++)
                theirs[k].data = dg_arena_alloc(a, (size_t)dg_shape_count(&theirs[k].shape) * size);
            move_parts(size, s->axis, &t, theirs, l->n_theirs, true);
            return true;
        }
    }
    theirs[0].data = t.data;
    return true;
}
