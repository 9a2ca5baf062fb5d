/* golden.h: reference numbers of tests/golden: a case sets static values, binds tensors of a golden
 * file to the inputs of an entry of a `.dg` file, runs it and compares its outputs with other
 * tensors of the file. Each case runs twice: in float32 as users run it, held to the case's
 * tolerance, and with the double-precision reference kernels, held to 1e-9 of the largest value.
 * Sizes, lists and names come from the file, so that any file of the same structure will do. */
#ifndef DG_TESTS_SUPPORT_GOLDEN_H
#define DG_TESTS_SUPPORT_GOLDEN_H

#include "runtime/safetensors.h"

#include <dg/dg.h>

typedef struct golden golden;
typedef struct golden_case {
    const char *name;
    void (*run)(golden *g);
} golden_case;

/* Allowed: abs + rel * the largest magnitude of the wanted tensor. Used in float32 only. */
typedef struct golden_tol {
    double abs, rel;
} golden_tol;
#define GOLDEN_ABS(x) ((golden_tol){(x), 0})
#define GOLDEN_REL(x) ((golden_tol){0, (x)})

/* Runs the cases of `file` (in the shared folder of golden files) with the program `graph`; the
 * exit code for main, 77 after saying so where the file is missing. */
int golden_main(const char *file, const char *graph, const golden_case *cases, int n);

/* ---- what the file holds; an absent key fails the case ---- */

bool golden_f64(const golden *g); /* this is the run with the reference kernels */
const dg_st_file *golden_file(const golden *g);
dg_arena *golden_arena(golden *g);
__attribute__((format(printf, 2, 3))) const char *golden_name(golden *g, const char *format, ...);
bool golden_has(const golden *g, const char *key);
const char *golden_meta(const golden *g, const char *key);
const double *golden_values(golden *g, const char *key, int64_t *n); /* n may be NULL */
double golden_number(golden *g, const char *key);
int64_t golden_dim(const golden *g, const char *key, int axis);
/* "[0.1, 0.2]": a tensor of one axis as a static value that reads back to the same doubles. */
const char *golden_list(golden *g, const char *key);
const char *golden_list_of(golden *g, const double *values, int64_t n);

/* ---- one run ---- */

/* A config value (-D) and a static argument of the entry for the next run. */
__attribute__((format(printf, 3, 4))) void golden_config(golden *g, const char *name,
                                                         const char *format, ...);
__attribute__((format(printf, 3, 4))) void golden_arg(golden *g, const char *name,
                                                      const char *format, ...);
/* Config values from a tensor's dims: "S B C H W"; "_" passes one over. */
void golden_dims(golden *g, const char *key, const char *names);
void golden_bind(golden *g, const char *input, const char *key);
/* `count` rows of the first axis from `first` on; count 1 binds without that axis too. */
void golden_bind_rows(golden *g, const char *input, const char *key, int64_t first, int64_t count);
void golden_bind_values(golden *g, const char *input, const double *values, int64_t n);
/* The mixture of gmm/... in the file, or else of gmm.safetensors beside it: inputs weights, means,
 * stds and the config values K, D. */
void golden_mixture(golden *g);
/* Compiles the entry and runs it; forgets settings and inputs, keeps the results until the next. */
void golden_run(golden *g, const char *entry);

const double *golden_result(golden *g, const char *output, int64_t *n);
void golden_expect(golden *g, const char *output, const char *key, golden_tol tol);
/* The last row of a path has a tolerance of its own. */
void golden_expect_path(golden *g, const char *output, const char *key, golden_tol tol,
                        golden_tol last);
/* `count` rows of the tensor from `first` on. */
void golden_expect_rows(golden *g, const char *output, const char *key, int64_t first,
                        int64_t count, golden_tol tol);
void golden_expect_values(golden *g, const char *output, const double *want, int64_t n,
                          golden_tol tol);

#endif
