/* explain_csv.c: the plan's steps as rows of a table, for spreadsheets.
 *
 * In     a plan.
 * Out    a head and one line a step; numbers bare, texts quoted where they must be. */
#include "compiler/plan/explain.h"

#include <string.h>

static void field(dg_text *t, const char *s)
{
    if (!strpbrk(s, ",\"\n")) {
        dg_text_add(t, "%s,", s);
        return;
    }
    dg_text_add(t, "\"");
    for (; *s; s++) dg_text_add(t, *s == '"' ? "\"\"" : "%c", *s);
    dg_text_add(t, "\",");
}

void dg_explain_csv(const dg_plan *p, dg_text *out)
{
    static const char *const kinds[] = {"kernel", "copy", "loop", "loop_end", "check"};
    dg_arena *a = dg_arena_new();
    dg_story story = dg_story_of(p, 1, a);
    dg_text_add(out,
                "step,kind,kernel,value,scope,src,phase,loop,trips,offset,bytes,live,workspace,"
                "flops,bytes_rw,estimate_ns,again\n");
    for (int32_t i = 0; i < p->n_steps; i++) {
        const dg_plan_step *s = &p->steps[i];
        const dg_plan_value *v = s->n_out > 0 ? &p->values[s->out[0]] : NULL;
        int64_t bytes = 0;
        for (int k = 0; k < s->n_out; k++) bytes += p->values[s->out[k]].bytes;
        dg_text_add(out, "%d,%s,", i, kinds[s->kind]);
        field(out, s->label);
        field(out, v ? v->path : "");
        field(out, s->scope);
        field(out, s->src);
        dg_text_add(out, "%s,%d,%.0f,", dg_phase_name(s->phase), s->loop, dg_step_trips(p, i));
        if (v && v->home == DG_HOME_ARENA) dg_text_add(out, "%lld", (long long)v->offset);
        dg_text_add(out, ",%lld,%lld,%lld,%.0f,%lld,%.0f,%d\n", (long long)bytes,
                    (long long)story.live[i], (long long)s->workspace_bytes, s->flops,
                    (long long)s->bytes_rw, dg_step_ns(p, i), dg_step_again(p, i));
    }
    dg_arena_free(a);
}
