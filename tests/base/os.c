/* tests/base/os.c: reading refuses what is no file, writing leaves the old file or the new one,
 * paths are taken apart. */
#include "compiler/base/os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static dg_arena *arena;
static dg_diag *diag;
static char folder[64];

static int setup(void **state)
{
    (void)state;
    arena = dg_arena_new();
    diag = dg_diag_new(arena, NULL);
    strcpy(folder, "dg_test_os_XXXXXX");
    const char *base = getenv("TMPDIR");
    if (chdir(base ? base : "/tmp") != 0) return -1;
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int teardown(void **state)
{
    (void)state;
    char **names;
    size_t n;
    if (dg_folder_list(diag, arena, ".", &names, &n))
        for (size_t i = 0; i < n; i++)
            if (remove(names[i]) != 0 && errno != ENOTEMPTY) return -1;
    dg_arena_free(arena);
    return chdir("..") == 0 ? rmdir(folder) : -1;
}

static void put(const char *path, const char *text)
{
    assert_true(dg_file_replace(diag, path, text, strlen(text)));
}

static void expect_message(const char *id, const char *what)
{
    assert_int_equal(dg_diag_count(diag), 1);
    assert_string_equal(dg_diag_at(diag, 0)->id, id);
    assert_string_equal(dg_diag_at(diag, 0)->what, what);
    dg_diag_clear(diag);
}

static void round_trip(void **state)
{
    (void)state;
    dg_file f;
    put("a.txt", "hello");
    assert_true(dg_file_read(diag, "a.txt", 100, &f));
    assert_int_equal(f.length, 5);
    assert_string_equal((const char *)f.bytes, "hello"); /* a NUL behind the end */
    dg_file_close(&f);
    assert_null(f.bytes);
    assert_true(dg_file_replace_soon(diag, "a.txt", "again", 5));
    assert_true(dg_file_read(diag, "a.txt", 100, &f));
    assert_string_equal((const char *)f.bytes, "again");
    dg_file_close(&f);
    put("a.txt", "");
    assert_true(dg_file_read(diag, "a.txt", 0, &f));
    assert_int_equal(f.length, 0);
    dg_file_close(&f);
    assert_true(dg_file_map(diag, "a.txt", &f)); /* nothing to map */
    dg_file_close(&f);
    put("a.txt", "mapped");
    assert_true(dg_file_map(diag, "a.txt", &f));
    assert_true(f.mapped);
    assert_memory_equal(f.bytes, "mapped", 6);
    dg_file_close(&f);
    char **names;
    size_t n;
    assert_true(dg_folder_list(diag, arena, ".", &names, &n));
    assert_int_equal(n, 1); /* nothing is left beside */
}

static void refusals(void **state)
{
    (void)state;
    dg_file f;
    put("model.dg", "x");
    put("mode.txt", "x");
    assert_false(dg_file_read(diag, "modle.dg", 100, &f));
    expect_message("E501", "cannot open 'modle.dg': it does not exist (did you mean 'model.dg'?)");
    assert_false(dg_file_read(diag, "./modle.dg", 100, &f));
    expect_message("E501",
                   "cannot open './modle.dg': it does not exist (did you mean './model.dg'?)");
    assert_false(dg_file_read(diag, "nothing_like_it", 100, &f));
    expect_message("E501", "cannot open 'nothing_like_it': it does not exist");
    assert_false(dg_file_read(diag, "", 100, &f));
    expect_message("E501", "cannot open '': it does not exist");
    assert_false(dg_file_read(diag, "model.dg/x", 100, &f));
    expect_message("E501", "cannot open 'model.dg/x': a part of the path is not a folder");
    assert_false(dg_file_read(diag, ".", 100, &f));
    expect_message("E502", "'.' is a folder, a file is wanted");
    assert_false(dg_file_read(diag, "/dev/zero", 100, &f));
    expect_message("E502", "'/dev/zero' is a device, a file is wanted");
    assert_false(dg_file_map(diag, "/dev/zero", &f));
    expect_message("E502", "'/dev/zero' is a device, a file is wanted");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_false(dg_file_read(diag, "pipe", 100, &f)); /* and does not wait for a writer */
    expect_message("E502", "'pipe' is a pipe, a file is wanted");
    put("big", "0123456789");
    assert_true(dg_file_read(diag, "big", 10, &f));
    dg_file_close(&f);
    assert_false(dg_file_read(diag, "big", 9, &f));
    expect_message("E504", "'big' has 10 B, more than the 9 B that are read");
    assert_false(dg_file_read(diag, "a\033[2Jb", 9, &f));
    expect_message("E501", "cannot open 'a\\x1b[2Jb': it does not exist");
}

static void standard_input(void **state)
{
    (void)state;
    put("in", "from standard input");
    int saved = dup(0), fd = open("in", O_RDONLY);
    dup2(fd, 0);
    dg_file f;
    assert_true(dg_file_read(diag, "-", 100, &f));
    assert_string_equal((const char *)f.bytes, "from standard input");
    dg_file_close(&f);
    lseek(0, 0, SEEK_SET);
    assert_false(dg_file_read(diag, "-", 5, &f));
    expect_message("E504", "'-' has more than 5 B, more than the 5 B that are read");
    close(0);
    assert_false(dg_file_read(diag, "-", 5, &f));
    expect_message("E502", "cannot read '-': it is closed");
    dup2(saved, 0);
    close(saved);
    close(fd);
}

/* More than the first buffer holds, and from a pipe, whose length nobody knows. */
static void long_standard_input(void **state)
{
    (void)state;
    enum { N = 300000 };
    int ends[2], saved = dup(0);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        static unsigned char bytes[N];
        for (int i = 0; i < N; i++) bytes[i] = (unsigned char)(i % 251);
        _exit(dg_write_all(ends[1], bytes, N) ? 0 : 1);
    }
    close(ends[1]);
    dup2(ends[0], 0);
    dg_file f;
    bool ok = dg_file_read(diag, "-", N, &f);
    dup2(saved, 0);
    close(saved);
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_true(ok);
    assert_int_equal(f.length, N);
    for (int i = 0; i < N; i++) assert_int_equal(f.bytes[i], i % 251);
    dg_file_close(&f);
}

static void say_and_leave(void)
{
    _exit(77);
}

/* The default prints one line and exits with 6; a handler comes first. */
static void out_of_memory(void **state)
{
    (void)state;
    for (int with_handler = 0; with_handler < 2; with_handler++) {
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            dup2(ends[1], 2);
            if (with_handler) dg_set_oom_handler(say_and_leave);
            dg_out_of_memory();
        }
        close(ends[1]);
        char line[100] = "";
        ssize_t n = read(ends[0], line, sizeof line - 1);
        close(ends[0]);
        waitpid(child, &status, 0);
        assert_int_equal(WEXITSTATUS(status), with_handler ? 77 : 6);
        assert_true(with_handler ? n == 0 : n > 0);
        assert_string_equal(line, with_handler ? "" : "dg: error[E601]: out of memory\n");
    }
}

static void long_paths(void **state)
{
    (void)state;
    char path[6000];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    dg_file f;
    assert_false(dg_file_read(diag, path, 10, &f));
    assert_string_equal(dg_diag_at(diag, 0)->id, "E502");
    assert_non_null(strstr(dg_diag_at(diag, 0)->what, "the path is too long"));
    dg_diag_clear(diag);
    assert_false(dg_file_replace(diag, path, "x", 1));
    assert_non_null(strstr(dg_diag_at(diag, 0)->what, "the path is too long"));
    dg_diag_clear(diag);
    assert_false(dg_make_folders(diag, path));
    assert_non_null(strstr(dg_diag_at(diag, 0)->what, "the path is too long"));
    path[255] = '\0'; /* a name that is just allowed, but not with .tmp-PID behind it */
    assert_int_equal(symlink(path, "circle"), 0);
    assert_int_equal(symlink("circle", path), 0);
    dg_diag_clear(diag);
    assert_false(dg_file_read(diag, "circle", 10, &f));
    expect_message("E502", "cannot read 'circle': symbolic links in a circle");
}

static bool fails_half_way(int fd, void *ctx)
{
    (void)ctx;
    if (!dg_write_all(fd, "new", 3)) return false;
    errno = ENOSPC;
    return false;
}

static void old_or_new(void **state)
{
    (void)state;
    put("a", "old");
    assert_false(dg_file_replace_with(diag, "a", fails_half_way, NULL));
    expect_message("E503", "cannot write 'a': the disk is full");
    dg_file f;
    assert_true(dg_file_read(diag, "a", 10, &f));
    assert_string_equal((const char *)f.bytes, "old");
    dg_file_close(&f);
    char **names;
    size_t n;
    assert_true(dg_folder_list(diag, arena, ".", &names, &n));
    assert_int_equal(n, 1);
    assert_false(dg_file_replace(diag, ".", "x", 1));
    expect_message("E505", "cannot write '.': it is a folder");
    assert_false(dg_file_replace(diag, "none/a", "x", 1));
    expect_message("E505", "cannot write 'none/a': it does not exist");
    assert_false(dg_file_replace(diag, "", "x", 1));
    expect_message("E505", "cannot write '': it does not exist");
}

static void devices_stay(void **state)
{
    (void)state;
    assert_false(dg_file_replace(diag, "/dev/full", "x", 1));
    expect_message("E503", "cannot write '/dev/full': the disk is full (needs 1 B)");
    assert_true(dg_file_replace(diag, "/dev/null", "x", 1));
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void links_stay(void **state)
{
    (void)state;
    put("target", "old");
    assert_int_equal(symlink("target", "link"), 0);
    put("link", "new");
    struct stat st;
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    dg_file f;
    assert_true(dg_file_read(diag, "target", 10, &f));
    assert_string_equal((const char *)f.bytes, "new");
    dg_file_close(&f);
}

static void folders(void **state)
{
    (void)state;
    assert_true(dg_make_folders(diag, "x/y//z/"));
    assert_true(dg_make_folders(diag, "x/y/z"));
    assert_true(dg_path_is_folder("x/y/z"));
    put("x/file", "1");
    assert_false(dg_path_is_folder("x/file"));
    assert_true(dg_path_exists("x/file"));
    assert_false(dg_path_exists("x/nothing"));
    assert_false(dg_make_folders(diag, "x/file"));
    expect_message("E505", "cannot write 'x/file': a part of the path is not a folder");
    assert_false(dg_make_folders(diag, "x/file/more"));
    expect_message("E505", "cannot write 'x/file/more': a part of the path is not a folder");
    put("x/b", "1");
    put("x/a", "1");
    char **names;
    size_t n;
    assert_true(dg_folder_list(diag, arena, "x", &names, &n));
    assert_int_equal(n, 4);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "b");
    assert_string_equal(names[2], "file");
    assert_string_equal(names[3], "y");
    assert_false(dg_folder_list(diag, arena, "none", &names, &n));
    dg_diag_clear(diag);
    remove("x/a"), remove("x/b"), remove("x/file"), remove("x/y/z"), remove("x/y");
}

static void paths(void **state)
{
    (void)state;
    assert_string_equal(dg_path_join(arena, "a/b", "c"), "a/b/c");
    assert_string_equal(dg_path_join(arena, "a/", "c"), "a/c");
    assert_string_equal(dg_path_join(arena, "a", "/c"), "/c");
    assert_string_equal(dg_path_join(arena, ".", "c"), "c");
    assert_string_equal(dg_path_join(arena, "/", "c"), "/c");
    assert_string_equal(dg_path_folder(arena, "a/b/c"), "a/b");
    assert_string_equal(dg_path_folder(arena, "c"), ".");
    assert_string_equal(dg_path_folder(arena, "/c"), "/");
    assert_string_equal(dg_path_base("a/b/c.dg"), "c.dg");
    assert_string_equal(dg_path_base("c.dg"), "c.dg");
}

static void large_memory(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0, 1, 63, 4096, ((size_t)2 << 20) - 1, (size_t)2 << 20, ((size_t)5 << 20) + 3};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = dg_large_alloc(sizes[i]);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        if (sizes[i] >= (size_t)2 << 20) assert_int_equal((uintptr_t)p % ((size_t)2 << 20), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            if (p[k] != 0) fail_msg("byte %zu of %zu is not zero", k, sizes[i]);
        if (sizes[i] > 0) memset(p, 0xff, sizes[i]);
        dg_large_free(p, sizes[i]);
    }
    assert_null(dg_large_alloc(SIZE_MAX));
    assert_null(dg_large_alloc(SIZE_MAX / 4));
    dg_large_free(NULL, 0);
}

static void process(void **state)
{
    (void)state;
    double t = dg_clock();
    assert_true(dg_clock() >= t);
    char now[32];
    dg_utc_now(now);
    assert_int_equal(strlen(now), 20);
    assert_int_equal(now[10], 'T');
    assert_int_equal(now[19], 'Z');
    assert_true(dg_rss_bytes() > 4096);
    assert_true(dg_rss_peak_bytes() >= dg_rss_bytes() / 2);
    assert_non_null(dg_program_path(arena));
    assert_string_equal(dg_module_path(arena, &arena), dg_program_path(arena));
    /* A function of another shared object: cmocka's. */
    assert_non_null(
        strstr(dg_module_path(arena, dlsym(RTLD_DEFAULT, "_cmocka_run_group_tests")), "libcmocka"));
}

static void size_limit(void **state)
{
    (void)state;
    /* What RLIMIT_FSIZE refuses is a full disk to the user (SIGXFSZ is ignored by the program). */
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 100;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    char bytes[2048] = {0};
    bool ok = dg_file_replace(diag, "a", bytes, sizeof bytes);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, before);
    assert_false(ok);
    expect_message("E503", "cannot write 'a': the file would pass the size limit (needs 2 KiB)");
    assert_false(dg_path_exists("a"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(round_trip),    TEST(long_standard_input),
        TEST(out_of_memory), TEST(long_paths),
        TEST(refusals),      TEST(standard_input),
        TEST(old_or_new),    TEST(devices_stay),
        TEST(links_stay),    TEST(folders),
        TEST(paths),         TEST(large_memory),
        TEST(process),       TEST(size_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
