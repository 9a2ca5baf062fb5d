/* temp.c: folders and messages for tests that read and write files. */
#include "tests/support/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[512], before[4096];

int temp_enter(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/dg_test_XXXXXX", base ? base : "/tmp");
    if (!getcwd(before, sizeof before) || !mkdtemp(folder)) return -1;
    return chdir(folder);
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s;
    (void)type;
    (void)f;
    return remove(path);
}

int temp_leave(void **state)
{
    (void)state;
    if (chdir(before) != 0) return -1;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void temp_write(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

char *temp_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("missing: %s", path);
    char *bytes = malloc(1 << 24);
    *n = fread(bytes, 1, (1 << 24) - 1, f);
    bytes[*n] = 0;
    fclose(f);
    return bytes;
}

void expect_message(dg_diag *d, const char *id, const char *place, const char *what)
{
    size_t n = dg_diag_count(d);
    static char have_id[16], have_place[600],
        have[1000]; /* a failed test must not spoil the next */
    const dg_message *m = n ? dg_diag_at(d, 0) : NULL;
    snprintf(have_id, sizeof have_id, "%s", m ? m->id : "none");
    snprintf(have_place, sizeof have_place, "%s", m && m->place ? m->place : "");
    snprintf(have, sizeof have, "%s", m ? m->what : "");
    dg_diag_clear(d);
    if (n != 1) fail_msg("%zu messages instead of one %s: %s %s", n, id, have_id, have);
    if (strcmp(have_id, id) != 0) fail_msg("%s instead of %s: %s", have_id, id, have);
    if (place && !strstr(have_place, place))
        fail_msg("place %s, not %s: %s", have_place, place, have);
    if (!strstr(have, what)) fail_msg("says \"%s\", not \"%s\"", have, what);
}
