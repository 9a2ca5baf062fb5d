/* attr.h: named arguments of a node that are known at compile time. */
#ifndef DG_IR_ATTR_H
#define DG_IR_ATTR_H

#include "compiler/ir/type.h"

typedef enum dg_attr_kind { DG_INT, DG_FLOAT, DG_INTS, DG_FLOATS, DG_STR, DG_DATA } dg_attr_kind;

typedef struct dg_attr {
    const char *name; /* interned, or static for names out of an op's attr table */
    dg_attr_kind kind;
    int n; /* elements of a list; bytes of data */
    union {
        int64_t i; /* DG_INT; booleans are 0 or 1 */
        double f;
        const int64_t *ints;
        const double *floats;
        const char *str;
        const void *data; /* constants: elements in the node's result dtype (floats always as double
                             until the plan is made) */
    } v;
} dg_attr;

typedef struct dg_attrs {
    int n;
    const dg_attr *at; /* sorted as in the op's table, so that equal nodes have equal lists */
} dg_attrs;

/* An op's table of attributes; ends with {0}. */
typedef struct dg_attr_spec {
    const char *name;
    dg_attr_kind kind;
    bool required;
    double fallback; /* for ints and floats when absent */
    const char *doc;
} dg_attr_spec;

const dg_attr *dg_attr_find(const dg_attrs *a,
                            const char *name); /* compares text; NULL when absent */
bool dg_attrs_equal(const dg_attrs *a, const dg_attrs *b);
uint64_t dg_attrs_hash(const dg_attrs *a);
dg_attrs dg_attrs_copy(dg_arena *arena, const dg_attrs *a);

dg_attr dg_attr_of_int(const char *name, int64_t v);
dg_attr dg_attr_of_float(const char *name, double v);
dg_attr dg_attr_of_ints(dg_arena *arena, const char *name, const int64_t *v, int n);
dg_attr dg_attr_of_floats(dg_arena *arena, const char *name, const double *v, int n);
dg_attr dg_attr_of_str(dg_arena *arena, const char *name, const char *v);

#endif
