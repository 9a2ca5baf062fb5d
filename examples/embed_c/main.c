/* main.c: dg inside a C program: loads a .dg file, trains a few steps on points of its own making,
 * samples.
 *
 *     cc main.c $(pkg-config --cflags --libs dg) -lm && ./a.out model.dg */
#include <dg/dg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 128, SAMPLES = 8, STEPS = 200 };

static void show(void *user, const dg_report *r)
{
    (void)user;
    fputs(r->text, stderr);
}

int main(int argc, char **argv)
{
    if (dg_blas_core_for_cpu()) setenv("OPENBLAS_CORETYPE", dg_blas_core_for_cpu(), 0);
    setenv("OPENBLAS_NUM_THREADS", "1", 0);
    dg_context *c = dg_context_new(&(dg_options){.message = show});
    const dg_arg_text batch = {"batch", "128", NULL}, n = {"n", "8", NULL};
    dg_program *p = c ? dg_program_open(c, argc > 1 ? argv[1] : "model.dg", &batch, 1) : NULL;
    dg_plan *step = p ? dg_plan_compile(p, "step", NULL, 0) : NULL,
            *sample = step ? dg_plan_compile(p, "sample", &n, 1) : NULL;
    if (!sample) return dg_context_status(c);

    dg_store *store = dg_store_new(c); /* parameters and states: shared by both plans */
    dg_session *training = dg_session_new(step, store), *sampling = dg_session_new(sample, store);
    float x[BATCH][2], loss = 0, out[SAMPLES][2];
    for (int i = 0; i < STEPS; i++) {
        for (int k = 0; k < BATCH; k++) { /* points on a circle */
            float angle = 6.2831853F * (float)rand() / (float)RAND_MAX;
            x[k][0] = cosf(angle);
            x[k][1] = sinf(angle);
        }
        if (dg_session_bind(training, "x", x, sizeof x) || dg_session_run(training))
            return dg_context_status(c);
        dg_session_read(training, "result", &loss, sizeof loss);
        if (i % 50 == 49) printf("step %d loss %.4f\n", i + 1, (double)loss);
    }
    dg_session_seed(sampling, 7);
    if (dg_session_run(sampling) || dg_session_read(sampling, "result", out, sizeof out))
        return dg_context_status(c);
    for (int k = 0; k < SAMPLES; k++) printf("%8.4f %8.4f\n", (double)out[k][0], (double)out[k][1]);

    dg_session_free(training);
    dg_session_free(sampling);
    dg_store_free(store);
    dg_plan_close(step);
    dg_plan_close(sample);
    dg_program_free(p);
    dg_context_free(c);
    return 0;
}
