/* process.h: the schedule that a golden file names in its metadata, for process.dg. */
#ifndef DG_TESTS_GOLDEN_PROCESS_H
#define DG_TESTS_GOLDEN_PROCESS_H

#include "tests/support/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "linear", "linear 1e-4..2e-2 T=1000": a name, its ends, how many steps; those may also stand in
 * the metadata as `T`. */
static inline void process_config(golden *g, const char *text)
{
    const char *dots = strstr(text, ".."), *length = strstr(text, "T=");
    char name[32];
    assert_int_equal(sscanf(text, "%31s", name), 1);
    golden_config(g, "process", "%s", name);
    golden_config(g, "length", "%d", atoi(length ? length + 2 : golden_meta(g, "T")));
    if (dots) { /* strtod stops at the second point */
        double ends[] = {strtod(text + strlen(name), NULL), strtod(dots + 2, NULL)};
        golden_config(g, "ends", "%s", golden_list_of(g, ends, 2));
    }
}

#endif
