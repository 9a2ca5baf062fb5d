/* run_folder.c: what a run leaves behind can be copied anywhere and used there: the graph is kept
 * with all its imports, and the completed run file names them by relative paths. */
#include "runtime/run_folder.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "ops/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- paths ---- */

/* mnist.yaml -> mnist; run.yaml says nothing, then it is the folder's name. */
static const char *default_name(dg_arena *a, const dg_config *c)
{
    const char *base = dg_path_base(c->path), *dot = strrchr(base, '.');
    size_t n = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    if (!(n == 3 && strncmp(base, "run", 3) == 0)) return dg_arena_text(a, base, n);
    char *folder = realpath(c->folder, NULL);
    const char *name = folder ? dg_path_base(folder) : "run";
    name = dg_arena_text(a, name, strlen(name));
    free(folder);
    return *name ? name : "run";
}

char *dg_run_path(dg_arena *a, const dg_config *c, const char *out, const char *name)
{
    if (out) return dg_arena_text(a, out, strlen(out));
    if (!name) name = default_name(a, c);
    size_t length = strlen(name), n = 0;
    int64_t most = 0, number;
    char **names = NULL;
    dg_diag *quiet = dg_diag_new(a, NULL);
    if (dg_path_is_folder(c->out) && dg_folder_list(quiet, a, c->out, &names, &n))
        for (size_t i = 0; i < n; i++)
            if (strncmp(names[i], name, length) == 0 && names[i][length] == '-' &&
                dg_parse_int(names[i] + length + 1, strlen(names[i] + length + 1), &number) &&
                number > most)
                most = number;
    return dg_path_join(a, c->out, dg_arena_printf(a, "%s-%04" PRId64, name, most + 1));
}

char *dg_path_relative(dg_arena *a, const char *folder, const char *path)
{
    char *from = realpath(folder, NULL), *to = realpath(path, NULL), *out = NULL;
    if (from && to) {
        /* Behind the last part that both have; the ends of both count as a slash. */
        size_t from_at = 0, to_at = 0;
        for (size_t i = 0;; i++) {
            bool from_part = !from[i] || from[i] == '/', to_part = !to[i] || to[i] == '/';
            if (from_part && to_part) {
                from_at = i + (from[i] == '/');
                to_at = i + (to[i] == '/');
            }
            if (from[i] != to[i] || !from[i]) break;
        }
        dg_text up = {0};
        for (const char *at = from + from_at; *at;) {
            dg_text_add(&up, "%s..", up.n ? "/" : "");
            at += strcspn(at, "/");
            at += *at == '/';
        }
        const char *down = to + to_at;
        out = dg_arena_printf(a, "%s%s%s", up.n ? up.at : "", up.n && *down ? "/" : "",
                              !up.n && !*down ? "." : down);
        dg_text_free(&up);
    }
    free(from);
    free(to);
    return out;
}

/* ---- the graph and its imports ---- */

/* What of `path` lies below `root`, links followed; NULL when it does not. */
static char *below(dg_arena *a, const char *root, const char *path)
{
    char *from = realpath(root, NULL), *to = realpath(path, NULL), *out = NULL;
    size_t n = from ? strlen(from) : 0;
    if (from && to && strncmp(to, from, n) == 0 && to[n] == '/')
        out = dg_arena_text(a, to + n + 1, strlen(to + n + 1));
    free(from);
    free(to);
    return out;
}

static bool write_source(dg_diag *d, dg_arena *a, const char *run, const char *name,
                         const dg_source *s)
{
    char *path = dg_path_join(a, run, name);
    return dg_make_folders(d, dg_path_folder(a, path)) &&
           dg_file_replace(d, path, s->text, s->length);
}

/* A library's files go to lib/ under the name they are imported by, the program's own keep their
 * place beside the main file; so each import finds what it found before. */
static bool copy_import(dg_diag *d, dg_arena *a, const dg_program *p, const char *run,
                        const dg_source *s)
{
    const char *path = s->path ? s->path : s->name, *name = NULL;
    for (int i = 0; p->source.lib && p->source.lib[i] && !name; i++) {
        name = below(a, p->source.lib[i], path);
        if (name) name = dg_path_join(a, DG_RUN_LIB, name);
    }
    if (!name) name = below(a, dg_path_folder(a, p->source.path), path);
    if (!name) name = dg_path_join(a, DG_RUN_LIB, dg_path_base(path));
    return write_source(d, a, run, name, s);
}

bool dg_run_copy_graph(dg_diag *d, dg_program *p, const char *run)
{
    dg_front *f = dg_program_front(p);
    if (!f) return false;
    dg_arena *a = dg_arena_new();
    const int32_t *files;
    int n = dg_front_files(f, &files);
    bool ok = true;
    for (int i = 0; ok && i < n; i++) {
        const dg_source *s = dg_source_at(p->reading->sources, files[i]);
        ok = i == 0 ? write_source(d, a, run, DG_RUN_GRAPH, s) : copy_import(d, a, p, run, s);
    }
    dg_arena_free(a);
    return ok;
}

/* ---- making it ---- */

static bool copy_file(dg_diag *d, const char *from, const char *to)
{
    dg_file f;
    if (!dg_file_read(d, from, (size_t)1 << 24, &f)) return false;
    bool ok = dg_file_replace(d, to, f.bytes, f.length);
    dg_file_close(&f);
    return ok;
}

bool dg_run_write_config(dg_diag *d, const dg_config *c, const char *run)
{
    dg_arena *a = dg_arena_new();
    dg_config full = *c;
    full.graph = DG_RUN_GRAPH;
    full.out = "..";
    bool absolute = full.data.path && full.data.path[0] == '/';
    if (full.data.path && !absolute) {
        char *path = dg_path_relative(a, run, full.data.path);
        if (path) full.data.path = path;
    }
    dg_text text = {0};
    dg_text_add(&text, "# The run file with every default; dg resume reads this one.\n");
    dg_config_write(&full, &text);
    bool ok = dg_file_replace(d, dg_path_join(a, run, DG_RUN_FULL), text.at, text.n);
    dg_text_free(&text);
    dg_arena_free(a);
    return ok;
}

bool dg_run_make(dg_job *j, const char *run)
{
    dg_diag *d = j->diag;
    dg_arena *a = j->arena;
    char **names;
    size_t n = 0;
    if (dg_path_is_folder(run) && dg_folder_list(d, a, run, &names, &n) && n > 0) {
        dg_message *m =
            dg_error_at(d, "E505", run, "the run folder is there already and not empty");
        if (dg_path_exists(dg_path_join(a, run, DG_RUN_FULL)))
            dg_help_add(d, m, "to go on with it: dg resume %s; or give --resume-if-exists", run);
        return false;
    }
    return dg_make_folders(d, dg_path_join(a, run, "checkpoints")) &&
           dg_make_folders(d, dg_path_join(a, run, "samples")) &&
           copy_file(d, j->config->path, dg_path_join(a, run, DG_RUN_CONFIG)) &&
           dg_run_copy_graph(d, j->program, run) && dg_run_write_config(d, j->config, run);
}

bool dg_run_lock(dg_diag *d, const char *run, int *fd)
{
    dg_arena *a = dg_arena_new();
    char *path = dg_path_join(a, run, "lock"), text[300] = {0}, host[200] = "?";
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    bool ok = *fd >= 0;
    if (!ok) dg_error_at(d, "E505", path, "cannot be opened for writing: %s", strerror(errno));
    if (ok && flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = read(*fd, text, sizeof text - 1);
        char *line = n > 0 ? strchr(text, '\n') : NULL;
        if (line) *line = 0;
        dg_text q = {0};
        dg_text_quote(&q, text, strlen(text));
        dg_error_at(d, "E512", run, "in use by %s", q.n ? q.at : "another process");
        dg_text_free(&q);
        ok = false;
    }
    if (ok) {
        gethostname(host, sizeof host - 1);
        int n = snprintf(text, sizeof text, "process %ld on host %s\n", (long)getpid(), host);
        if (ftruncate(*fd, 0) != 0 || pwrite(*fd, text, (size_t)n, 0) != n) {
            dg_error_at(d, "E505", path, "cannot be written: %s", strerror(errno));
            ok = false;
        }
    }
    if (!ok && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    dg_arena_free(a);
    return ok;
}

/* ---- run.json ---- */

static json_t *read_facts(dg_arena *a, const char *run)
{
    char *path = dg_path_join(a, run, DG_RUN_FACTS);
    dg_diag *quiet = dg_diag_new(a, NULL);
    dg_file f;
    if (!dg_path_exists(path) || !dg_file_read(quiet, path, (size_t)1 << 20, &f)) return NULL;
    json_t *j = dg_json_read(quiet, "E430", path, (const char *)f.bytes, f.length);
    dg_file_close(&f);
    return j;
}

int dg_run_classes(const char *run)
{
    dg_arena *a = dg_arena_new();
    json_t *j = read_facts(a, run);
    json_int_t n = json_integer_value(json_object_get(json_object_get(j, "data"), "classes"));
    json_decref(j);
    dg_arena_free(a);
    return n > 0 && n < 1 << 20 ? (int)n : 0;
}

static void data_field(dg_json_writer *w, const dg_dataset *s)
{
    dg_json_key(w, "data");
    dg_json_open(w, '{');
    dg_json_string_field(w, "kind", s->kind);
    dg_json_int_field(w, "samples", s->reader.count);
    dg_json_int_field(w, "classes", s->classes);
    dg_json_key(w, "shape");
    dg_json_open(w, '[');
    for (int i = 0; i < s->shape.rank; i++) dg_json_int(w, s->shape.dim[i]);
    dg_json_close(w, ']');
    dg_json_close(w, '}');
}

/* The words of the program's command line, with spaces between; nothing where the system has no
 * /proc. */
static void add_command(dg_json_writer *w)
{
    char text[4096];
    FILE *f = fopen("/proc/self/cmdline", "rb");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    for (size_t i = 0; i + 1 < n; i++)
        if (!text[i]) text[i] = ' ';
    text[n] = 0;
    dg_text shown = {0};
    dg_text_escape(&shown, text, strlen(text), sizeof text);
    dg_json_string_field(w, "command", shown.at ? shown.at : "");
    dg_text_free(&shown);
}

bool dg_run_write_facts(dg_context *c, dg_diag *d, const char *run, const dg_run_facts *f)
{
    dg_arena *a = dg_arena_new();
    char now[32], host[200] = "?";
    dg_utc_now(now);
    gethostname(host, sizeof host - 1);
    json_t *old = read_facts(a, run);
    const char *started = json_string_value(json_object_get(old, "started"));
    dg_json_writer w = {.pretty = true};
    dg_json_open(&w, '{');
    dg_json_string_field(&w, "status", f->status);
    dg_json_int_field(&w, "step", f->step);
    dg_json_int_field(&w, "steps", f->steps);
    dg_json_string_field(&w, "seed", dg_arena_printf(a, "%" PRIu64, f->seed));
    dg_json_string_field(&w, "plan", dg_arena_printf(a, "%016" PRIx64, f->plan_hash));
    data_field(&w, f->data);
    dg_json_string_field(&w, "dg", dg_version());
    dg_json_string_field(&w, "isa", dg_isa_name(c->isa));
    dg_json_string_field(&w, "blas_core", dg_blas_core());
    dg_json_int_field(&w, "threads", c->threads);
    dg_json_string_field(&w, "host", host);
    add_command(&w);
    dg_json_string_field(&w, "started", started ? started : now);
    dg_json_string_field(&w, "written", now);
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    bool ok = dg_file_replace(d, dg_path_join(a, run, DG_RUN_FACTS), w.text.at, w.text.n);
    dg_text_free(&w.text);
    json_decref(old);
    dg_arena_free(a);
    return ok;
}
