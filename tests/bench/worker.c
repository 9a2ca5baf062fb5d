/* worker.c: one entry of a .dg file, run when a line on standard input says so: dg's side of
 * peers.py. The other sides, torch_peer.py and ort_peer.cjs, answer to the same lines.
 *
 *     worker FILE.dg ENTRY PRECISION WEIGHTS|- [NAME=VALUE...]     "f32" or "bf16"; config values
 *
 *     places       a line "NAME DIM DIM ..." for each parameter, then an empty one
 *     in NAME FILE an input's bytes
 *     run N        runs N times; answers with the milliseconds of each
 *     out FILE     the first result's bytes to FILE; answers ok */
#include <dg/dg.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void show(void *user, const dg_report *r)
{
    (void)user;
    if (r->error) fprintf(stderr, "%s", r->text);
}

static double clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void places(dg_plan *p)
{
    const dg_tensor_info *list;
    int n = dg_plan_places(p, &list);
    for (int i = 0; i < n; i++) {
        if (!list[i].trained) continue;
        printf("%s", list[i].name);
        for (int a = 0; a < list[i].rank; a++) printf(" %lld", (long long)list[i].dims[a]);
        printf("\n");
    }
    printf("\n");
}

static int bind(dg_session *s, const char *name, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return 1;
    fseek(f, 0, SEEK_END);
    size_t bytes = (size_t)ftell(f);
    rewind(f);
    void *data = malloc(bytes);
    int failed =
        !data || fread(data, 1, bytes, f) != bytes || dg_session_bind(s, name, data, bytes);
    free(data);
    fclose(f);
    return failed;
}

static int write_result(dg_session *s, dg_plan *p, const char *path)
{
    const dg_tensor_info *list;
    if (dg_plan_outputs(p, &list) < 1) return 1;
    void *data = malloc(list[0].bytes);
    FILE *f = fopen(path, "wb");
    int failed = !data || !f || dg_session_read(s, list[0].name, data, list[0].bytes) ||
                 fwrite(data, 1, list[0].bytes, f) != list[0].bytes;
    if (f && fclose(f) != 0) failed = 1;
    free(data);
    return failed;
}

static int answer(dg_session *s, dg_plan *p, char *line)
{
    char *word = strtok(line, " \n"), *first = strtok(NULL, " \n"), *second = strtok(NULL, " \n");
    if (!word) return 0;
    if (strcmp(word, "places") == 0) {
        places(p);
    } else if (strcmp(word, "in") == 0 && second) {
        if (bind(s, first, second)) return 1;
        printf("ok\n");
    } else if (strcmp(word, "run") == 0 && first) {
        for (int i = 0; i < atoi(first); i++) {
            double start = clock_ms();
            if (dg_session_run(s)) return 1;
            printf("%s%.4f", i ? " " : "", clock_ms() - start);
        }
        printf("\n");
    } else if (strcmp(word, "out") == 0 && first) {
        if (write_result(s, p, first)) return 1;
        printf("ok\n");
    } else {
        return 1;
    }
    return fflush(stdout);
}

int main(int argc, char **argv)
{
    enum { MOST = 32 };
    if (argc < 5 || argc > MOST) return 2;
    if (dg_blas_core_for_cpu()) setenv("OPENBLAS_CORETYPE", dg_blas_core_for_cpu(), 0);
    setenv("OPENBLAS_NUM_THREADS", "1", 0);
    dg_context *c =
        dg_context_new(&(dg_options){.message = show, .precision = argv[3], .threads = 2});
    dg_arg_text config[MOST];
    int n = 0;
    for (int i = 5; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value) return 2;
        *value = 0;
        config[n++] = (dg_arg_text){argv[i], value + 1, NULL};
    }
    dg_program *program = c ? dg_program_open(c, argv[1], config, n) : NULL;
    dg_plan *plan = program ? dg_plan_compile(program, argv[2], NULL, 0) : NULL;
    dg_store *store = plan ? dg_store_new(c) : NULL;
    if (store && strcmp(argv[4], "-") != 0 && dg_store_load(store, argv[4], NULL)) return 1;
    dg_session *session = store ? dg_session_new(plan, store) : NULL;
    if (!session) return 1;
    printf("ready\n");
    fflush(stdout);
    char line[4096];
    int failed = 0;
    while (!failed && fgets(line, sizeof line, stdin)) failed = answer(session, plan, line);
    dg_session_free(session);
    dg_store_free(store);
    dg_plan_close(plan);
    dg_program_free(program);
    dg_context_free(c);
    return failed;
}
