/* run.c: what the elaborator makes of small files. For each tests/lang/lower/NAME.dg the file
 * NAME.expect holds, for each entry, its IR or the messages; DG_BLESS=1 rewrites them. Lines of the
 * file that begin with "#:" set arguments, config values and checks:
 *
 *     #: n=4              argument n of every entry that has it
 *     #: -D ch=8          config value
 *     #: check            dg_front_check runs as well
 *     #: summary          only what a module holds, not its nodes
 *
 * The reference examples beside the source tree are elaborated too, when they are there. */
#include "compiler/front/front.h"

#include "compiler/base/os.h"
#include "compiler/ir/print.h"
#include "compiler/ir/rewrite.h"
#include "compiler/ir/verify.h"
#include "ops/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef DG_SHARED_DIR
#define DG_SHARED_DIR "../shared"
#endif

enum { SETTINGS = 16 };
typedef struct run {
    dg_arena *arena;
    dg_diag *diag;
    dg_setting_in args[SETTINGS], config[SETTINGS];
    int n_args, n_config;
    bool check, summary;
} run;

static run start(void)
{
    run r = {.arena = dg_arena_new()};
    r.diag = dg_diag_new(r.arena, dg_sources_new(r.arena));
    return r;
}

static void add_setting(run *r, char *line, bool config)
{
    char *equals = strchr(line, '=');
    if (!equals) return;
    *equals = '\0';
    dg_setting_in s = {.name = line, .text = equals + 1, .span = DG_NOWHERE};
    s.place = dg_arena_printf(r->arena, "%s%s", config ? "-D " : "argument ", line);
    if (config && r->n_config < SETTINGS)
        r->config[r->n_config++] = s;
    else if (!config && r->n_args < SETTINGS)
        r->args[r->n_args++] = s;
}

static void directives(run *r, const char *text)
{
    for (const char *at = strstr(text, "#: "); at; at = strstr(at + 3, "#: ")) {
        char *line = dg_arena_text(r->arena, at + 3, strcspn(at + 3, "\n"));
        if (strcmp(line, "check") == 0)
            r->check = true;
        else if (strcmp(line, "summary") == 0)
            r->summary = true;
        else if (strncmp(line, "-D ", 3) == 0)
            add_setting(r, line + 3, true);
        else
            add_setting(r, line, false);
    }
}

static dg_front *open_front(run *r, const char *path, const char *const *lib)
{
    dg_front_options o = {.path = path, .lib = lib, .config = r->config, .n_config = r->n_config};
    return dg_front_open(r->arena, r->diag, &o);
}

static void messages(const run *r, dg_text *out)
{
    for (size_t i = 0; i < dg_diag_count(r->diag); i++)
        dg_message_text(r->diag, dg_diag_at(r->diag, i), false, out);
}

static void summarise(const dg_module *m, dg_text *out)
{
    dg_text whole = {0};
    dg_print_module(m, &whole);
    const char *end = strstr(whole.at, "graph {");
    dg_text_addn(out, whole.at, end ? (size_t)(end - whole.at) : whole.n);
    dg_text_free(&whole);
}

static const dg_entry_info *entry_at(const dg_front *f, int i)
{
    const dg_entry_info *e;
    int n = dg_front_entries(f, &e);
    return i < n && e[i].in_main ? &e[i] : NULL;
}

/* Only the arguments that an entry has: a file has several entries. */
static int arguments_of(const run *r, const dg_entry_info *e, dg_setting_in *out)
{
    int n = 0;
    for (int i = 0; i < r->n_args; i++) {
        bool has = strncmp(r->args[i].name, "no_", 3) == 0;
        for (int k = 0; k < e->n_formals; k++)
            has |= strcmp(e->formals[k].name, r->args[i].name) == 0;
        if (has) out[n++] = r->args[i];
    }
    return n;
}

/* One entry, in a front of its own, so that messages of others do not count. */
static bool one_entry(const char *path, const char *text, int i, const char *const *lib,
                      dg_text *out)
{
    run r = start();
    directives(&r, text);
    dg_front *f = open_front(&r, path, lib);
    const dg_entry_info *e = f ? entry_at(f, i) : NULL;
    if (e) {
        dg_setting_in args[SETTINGS];
        int n = arguments_of(&r, e, args);
        dg_module *m = dg_front_elaborate(f, r.arena, e, args, n, dg_op_find);
        dg_text_add(out, "==== %s\n", e->name);
        if (m && !dg_verify(m, "front")) fail_msg("%s: %s is not well formed", path, e->name);
        if (m) dg_module_tidy_init(m);
        if (m && r.summary)
            summarise(m, out);
        else if (m)
            dg_print_module(m, out);
        messages(&r, out);
        if (m) dg_module_free(m);
    }
    dg_arena_free(r.arena);
    return e != NULL;
}

static void whole_file(const char *path, const char *text, const char *const *lib, dg_text *out)
{
    run r = start();
    directives(&r, text);
    dg_front *f = open_front(&r, path, lib);
    if (f && r.check) {
        dg_front_check(f, r.arena);
        const dg_config_info *c;
        int n = dg_front_configs(f, &c);
        for (int i = 0; i < n; i++) dg_text_add(out, "config %s = %s\n", c[i].name, c[i].text);
    }
    if (!f || r.check) messages(&r, out);
    dg_arena_free(r.arena);
    for (int i = 0; f && one_entry(path, text, i, lib, out); i++) {
    }
}

/* ---- golden texts ---- */

static const char *const lib[] = {"tests/lang/lower/imports/lib", NULL};

static void compare(const char *path, dg_text *seen)
{
    run r = start();
    char expect[512];
    snprintf(expect, sizeof expect, "%.*s.expect", (int)(strlen(path) - 3), path);
    const char *text = seen->at ? seen->at : "";
    if (getenv("DG_BLESS")) {
        assert_true(dg_file_replace(r.diag, expect, text, seen->n));
    } else {
        dg_file file;
        if (!dg_file_read(r.diag, expect, 1u << 22, &file))
            fail_msg("%s is missing; DG_BLESS=1 writes it", expect);
        if (file.length != seen->n || memcmp(file.bytes, text, seen->n) != 0)
            fail_msg("%s: wanted\n%.*s\nseen\n%s", expect, (int)file.length,
                     (const char *)file.bytes, text);
        dg_file_close(&file);
    }
    dg_arena_free(r.arena);
}

static void golden_texts(void **state)
{
    (void)state;
    run r = start();
    char **names;
    size_t n;
    int files = 0;
    const char *folder = "tests/lang/lower";
    assert_true(dg_folder_list(r.diag, r.arena, folder, &names, &n));
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(names[i]);
        if (length < 4 || strcmp(names[i] + length - 3, ".dg") != 0) continue;
        const char *path = dg_path_join(r.arena, folder, names[i]);
        dg_file file;
        assert_true(dg_file_read(r.diag, path, 1u << 20, &file));
        const char *text = dg_arena_text(r.arena, (const char *)file.bytes, file.length);
        dg_file_close(&file);
        dg_text seen = {0};
        whole_file(path, text, lib, &seen);
        compare(path, &seen);
        dg_text_free(&seen);
        files++;
    }
    assert_true(files >= 15);
    dg_arena_free(r.arena);
}

/* ---- the reference examples ---- */

static void reference_examples(void **state)
{
    (void)state;
    static const char *const files[] = {"unet.dg",           "swissroll.dg",   "dit.dg",
                                        "binomial.dg",       "extras.dg",      "library-use.dg",
                                        "analytic.dg",       "evaluate.dg",    "solvers.dg",
                                        "train-variants.dg", "layers-more.dg", "hard-use.dg"};
    if (!dg_path_is_folder(DG_SHARED_DIR "/reference/dg")) {
        print_message("no reference examples beside the source tree\n");
        skip();
    }
    int entries = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        run r = start();
        const char *path = dg_path_join(r.arena, DG_SHARED_DIR "/reference/dg", files[i]);
        add_setting(&r, dg_arena_text(r.arena, "classes=10", 10), true);
        if (strcmp(files[i], "unet.dg") != 0 && strcmp(files[i], "extras.dg") != 0) r.n_config = 0;
        dg_front *f = open_front(&r, path, NULL);
        assert_non_null(f);
        assert_true(dg_front_check(f, r.arena));
        const dg_entry_info *e;
        for (int k = 0; (e = entry_at(f, k)) != NULL; k++) {
            dg_module *m = dg_front_elaborate(f, r.arena, e, NULL, 0, dg_op_find);
            if (!m || !dg_verify(m, "front")) {
                dg_text t = {0};
                messages(&r, &t);
                fail_msg("%s: %s\n%s", files[i], e->name, t.at);
            }
            dg_module_free(m);
            entries++;
        }
        dg_arena_free(r.arena);
    }
    assert_int_equal(entries, 65);
}

/* The published network: 304 parameter tensors, 35.75 M values. */
static void the_unet(void **state)
{
    (void)state;
    const char *path = DG_SHARED_DIR "/reference/dg/unet.dg";
    if (!dg_path_exists(path)) skip();
    run r = start();
    dg_front *f = open_front(&r, path, NULL);
    assert_non_null(f);
    dg_module *m = dg_front_elaborate(f, r.arena, entry_at(f, 0), NULL, 0, dg_op_find);
    assert_non_null(m);
    int64_t tensors = 0, values = 0;
    for (size_t i = 0; i < m->places.n; i++) {
        if (!m->places.at[i].trained) continue;
        tensors++;
        values += dg_shape_count(&m->places.at[i].type.shape);
    }
    assert_int_equal(tensors, 304);
    assert_int_equal(values, 35746307);
    dg_module_free(m);
    dg_arena_free(r.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden_texts),
                                       cmocka_unit_test(reference_examples),
                                       cmocka_unit_test(the_unet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
