/* replay_runs.c: where the run of a picture may be: folders that look like runs, around the picture
 * and the current folder.
 *
 * Out    paths, the likeliest first; each folder once, whatever names lead to it.
 * Keeps  no deeper than `runs/NAME` and no more names of one folder than MOST_NAMES, so that links
 *        and large folders do no harm. */
#include "runtime/replay.h"

#include "compiler/base/os.h"
#include "runtime/run_folder.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 1000 };

typedef struct search {
    dg_arena *arena;
    DG_VEC(const char *) runs; /* as they are shown */
    DG_VEC(const char *) real;
} search;

static void look_at(search *s, const char *folder)
{
    if (!dg_path_exists(dg_path_join(s->arena, folder, DG_RUN_FULL))) return;
    char *real = realpath(folder, NULL);
    if (!real) return;
    bool known = false;
    for (size_t i = 0; i < s->real.n && !known; i++) known = strcmp(s->real.at[i], real) == 0;
    if (!known) {
        dg_vec_push(&s->runs, folder);
        dg_vec_push(&s->real, (const char *)dg_arena_text(s->arena, real, strlen(real)));
    }
    free(real);
}

static void look_in(search *s, const char *folder)
{
    char **names;
    size_t n;
    if (!dg_path_is_folder(folder)) return;
    if (!dg_folder_list(dg_diag_new(s->arena, NULL), s->arena, folder, &names, &n)) return;
    for (size_t i = 0; i < n && i < MOST_NAMES; i++)
        look_at(s, strcmp(folder, ".") == 0 ? names[i] : dg_path_join(s->arena, folder, names[i]));
}

static void look_around(search *s, const char *folder)
{
    bool here = strcmp(folder, ".") == 0;
    look_at(s, folder);
    look_in(s, folder);
    look_in(s, here ? "runs" : dg_path_join(s->arena, folder, "runs"));
}

int dg_replay_runs(dg_arena *a, const char *picture, const char *const **out)
{
    search s = {.arena = a};
    const char *folder = dg_path_folder(a, picture);
    char *real = realpath(folder, NULL);
    for (const char *up = real; up && strcmp(up, "/") != 0; up = dg_path_folder(a, up))
        look_at(&s, up == real ? dg_arena_text(a, real, strlen(real)) : up);
    free(real);
    look_around(&s, ".");
    look_around(&s, folder);
    int n = (int)s.runs.n;
    dg_vec_seal(&s.runs, a, *out);
    dg_vec_free(&s.real);
    return n;
}
