/* random_network.h: random networks as `.dg` text, made of the library's layers and of the
 * language's operations at odd sizes: the same text for a number on every machine. */
#ifndef DG_TESTS_SUPPORT_RANDOM_NETWORK_H
#define DG_TESTS_SUPPORT_RANDOM_NETWORK_H

#include "compiler/base/str.h"

typedef struct random_network {
    dg_text text;
    int batch, channels, height, width; /* of the input x; t is i32[batch] */
    bool large;                         /* so that passes see something to gain */
} random_network;

/* The text has a model `net` and these entries: `shake` moves every parameter; `forward(x, t)`;
 * train entry `grads(x, t)`, which leaves the gradient of P in the state `g.P`; `unrolled(x, t)`,
 * the same through a loop; `step(x, t)`, an optimiser's step; `sample(x, t)`, a loop of a sampler.
 */
void random_network_make(random_network *n, uint32_t number);
void random_network_free(random_network *n);

#endif
