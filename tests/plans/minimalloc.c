/* The placer against hard problems whose best answer is known: such as are made here, by cutting a
 * full arena into pieces, and the MiniMalloc problems (google/minimalloc, CSV of id, first step,
 * end step, size), where they are at hand: DG_MINIMALLOC names the folder. The capacity in the
 * file's name is known to be enough. */
#include "compiler/base/os.h"
#include "compiler/passes/memplan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 4096

static int read_problem(dg_diag *d, const char *path, dg_slot *slots)
{
    dg_file f;
    assert_true(dg_file_read(d, path, 1 << 20, &f));
    char *text = malloc(f.length + 1);
    memcpy(text, f.bytes, f.length);
    text[f.length] = 0;
    dg_file_close(&f);
    int n = 0;
    for (char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        long id, lower, upper, size;
        if (sscanf(line + 1, "%ld,%ld,%ld,%ld", &id, &lower, &upper, &size) != 4) break;
        assert_true(n < MOST);
        slots[n++] = (dg_slot){(int32_t)lower, (int32_t)upper - 1, size, 0};
    }
    free(text);
    return n;
}

static void no_overlap(const dg_slot *s, int n)
{
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++) {
            bool met = s[i].first <= s[k].last && s[k].first <= s[i].last;
            bool apart =
                s[i].offset + s[i].size <= s[k].offset || s[k].offset + s[k].size <= s[i].offset;
            assert_true(!met || apart);
        }
    }
}

static void problems(void **state)
{
    (void)state;
    const char *folder = getenv("DG_MINIMALLOC");
    if (!folder) folder = "../shared/data/minimalloc";
    if (!dg_path_is_folder(folder)) {
        print_message("no MiniMalloc problems at %s\n", folder);
        skip();
    }
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    char **names;
    size_t count;
    assert_true(dg_folder_list(d, a, folder, &names, &count));
    double sum = 0;
    int problems = 0;
    static dg_slot slots[MOST];
    for (size_t i = 0; i < count; i++) {
        const char *capacity_text = strchr(names[i], '.');
        if (!strstr(names[i], ".csv") || !capacity_text) continue;
        int64_t capacity = strtoll(capacity_text + 1, NULL, 10);
        int n = read_problem(d, dg_path_join(a, folder, names[i]), slots);
        int32_t step;
        dg_heuristic tried[DG_PLACE_TRIES];
        int n_tried;
        int64_t bound = dg_slots_bound(slots, n, &step);
        double begin = dg_clock();
        int64_t top = dg_slots_place(slots, n, bound, a, tried, &n_tried);
        double seconds = dg_clock() - begin, ratio = (double)top / (double)capacity;
        print_message("%-16s %4d slots  bound %.4f  arena %.4f  %.3f s\n", names[i], n,
                      (double)bound / (double)capacity, ratio, seconds);
        no_overlap(slots, n);
        assert_true(ratio <= 1.18);
        sum += ratio;
        problems++;
    }
    assert_true(problems > 0);
    print_message("mean %.4f of %d\n", sum / problems, problems);
    assert_true(sum / problems <= 1.10);
    dg_arena_free(a);
}

/* ---- problems made by cutting ---- */

typedef struct cutter {
    uint64_t seed;
    dg_slot *slots;
    int n;
} cutter;

static int64_t below(cutter *c, int64_t n)
{
    c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(c->seed >> 33) % n;
}

/* Steps first .. last and `size` units of 64 bytes, cut in two in time or in size, until pieces are
 * few steps long or small. All pieces together fill the arena at every step, so the bound is the
 * capacity and can be reached. */
static void cut(cutter *c, int32_t first, int32_t last, int64_t size, int depth)
{
    int32_t steps = last - first + 1;
    bool can_time = steps > 3, can_size = size > 8;
    if (depth == 0 || (!can_time && !can_size) || (depth < 4 && below(c, 8) == 0)) {
        assert_true(c->n < MOST);
        c->slots[c->n++] = (dg_slot){first, last, size * 64, 0};
        return;
    }
    if (can_time && (!can_size || below(c, 2))) {
        int32_t at = first + 1 + (int32_t)below(c, steps - 2);
        cut(c, first, at, size, depth - 1);
        cut(c, at + 1, last, size, depth - 1);
    } else {
        int64_t part = size / 8 + below(c, size - size / 4);
        if (part < 1) part = 1;
        cut(c, first, last, part, depth - 1);
        cut(c, first, last, size - part, depth - 1);
    }
}

static void cut_problems(void **state)
{
    (void)state;
    static dg_slot slots[MOST];
    double sum = 0;
    enum { PROBLEMS = 11 };
    for (int i = 0; i < PROBLEMS; i++) {
        cutter c = {.seed = (uint64_t)i + 1, .slots = slots};
        int64_t capacity = 16384 * 64;
        cut(&c, 0, 99 + 20 * i, 16384, 8 + i % 3);
        dg_arena *a = dg_arena_new();
        dg_heuristic tried[DG_PLACE_TRIES];
        int n_tried;
        int32_t step;
        int64_t bound = dg_slots_bound(slots, c.n, &step);
        assert_int_equal(bound, capacity);
        double begin = dg_clock();
        int64_t top = dg_slots_place(slots, c.n, bound, a, tried, &n_tried);
        double ratio = (double)top / (double)capacity;
        print_message("%c %4d slots  arena %.4f  %.3f s\n", 'A' + i, c.n, ratio,
                      dg_clock() - begin);
        no_overlap(slots, c.n);
        assert_true(ratio <= 1.01);
        sum += ratio;
        dg_arena_free(a);
    }
    print_message("mean %.4f of %d\n", sum / PROBLEMS, PROBLEMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cut_problems), cmocka_unit_test(problems)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
