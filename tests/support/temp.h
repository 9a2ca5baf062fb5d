/* temp.h: tests that write files work in a folder of their own, which goes when they end. */
#ifndef DG_TESTS_TEMP_H
#define DG_TESTS_TEMP_H

#include "compiler/base/diag.h"

/* For cmocka's group setup and teardown: changes to a new folder, and back after removing it. */
int temp_enter(void **state);
int temp_leave(void **state);

void temp_write(const char *path, const void *bytes, size_t n);
char *temp_read(const char *path,
                size_t *n); /* malloc'd, with a final NUL; fails the test when missing */

/* Exactly one message of this id, whose place (when given) and sentence hold these texts; then
 * forgets it. */
void expect_message(dg_diag *d, const char *id, const char *place, const char *what);

#endif
