/* tests/support/world.h: a module built by hand, for tests of passes: places that are read, places
 * that are written. */
#ifndef DG_TESTS_WORLD_H
#define DG_TESTS_WORLD_H

#include "ops/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

typedef struct world {
    dg_module m;
    dg_build b;
    int n_places;
} world;

static inline void world_begin(world *w, const dg_op *(*find)(const char *name))
{
    dg_arena *a = dg_arena_new();
    *w = (world){.m = {.arena = a, .strings = dg_strings_new(a), .diag = dg_diag_new(a, NULL)}};
    w->m.entry = dg_intern_z(w->m.strings, "test");
    w->m.graph = dg_graph_new(a, w->m.strings, find);
    w->b =
        (dg_build){.graph = w->m.graph, .before = DG_NONE, .scope = dg_intern_z(w->m.strings, "")};
}

static inline void world_end(world *w)
{
    dg_arena *a = w->m.arena;
    dg_graph_free(w->m.graph);
    dg_vec_free(&w->m.places);
    dg_vec_free(&w->m.decisions);
    dg_arena_free(a);
}

/* A place that is read; writes go to places of their own. */
static inline dg_value world_place(world *w, dg_shape s)
{
    dg_type type = {DG_F32, s};
    dg_vec_push(&w->m.places, (dg_place){.path = dg_intern_printf(w->m.strings, "p%d", w->n_places),
                                         .type = type});
    dg_attr attrs[] = {dg_attr_of_int("index", w->n_places++), dg_attr_of_int("dtype", DG_F32),
                       dg_attr_of_ints(w->m.arena, "shape", s.dim, s.rank)};
    return dg_emit(&w->b, "place", attrs, 3, NULL, 0);
}

static inline void world_store_at(world *w, int64_t index, dg_value v)
{
    dg_attr attr = dg_attr_of_int("index", index);
    dg_node n = dg_build_node(&w->b, w->m.graph->find("write"), &attr, 1, &v, 1);
    assert_int_not_equal(n, DG_NONE);
}

static inline void world_store(world *w, dg_value v)
{
    dg_vec_push(&w->m.places, (dg_place){.path = dg_intern_printf(w->m.strings, "p%d", w->n_places),
                                         .type = *dg_type_of(w->m.graph, v)});
    world_store_at(w, w->n_places++, v);
}

static inline void world_good(const world *w, bool ok)
{
    if (ok) return;
    dg_text text = {0};
    for (size_t i = 0; i < dg_diag_count(w->m.diag); i++)
        dg_message_text(w->m.diag, dg_diag_at(w->m.diag, i), false, &text);
    fail_msg("%s", text.at ? text.at : "failed without a message");
}

#endif
