/* winograd_ref.c: see winograd_ref.h. */
#include "ops/support/winograd_ref.h"

/* clang-format off */
static const double B4[] = {4,  0, -5,  0, 1, 0,
                            0, -4, -4,  1, 1, 0,
                            0,  4, -4, -1, 1, 0,
                            0, -2, -1,  2, 1, 0,
                            0,  2, -1, -2, 1, 0,
                            0,  4,  0, -5, 0, 1},
                    G4[] = { 1.0 / 4,         0,        0,
                            -1.0 / 6,  -1.0 / 6, -1.0 / 6,
                            -1.0 / 6,   1.0 / 6, -1.0 / 6,
                             1.0 / 24,  1.0 / 12, 1.0 / 6,
                             1.0 / 24, -1.0 / 12, 1.0 / 6,
                             0,         0,        1},
                    A4[] = {1, 1,  1, 1,  1, 0,
                            0, 1, -1, 2, -2, 0,
                            0, 1,  1, 4,  4, 0,
                            0, 1, -1, 8, -8, 1},
                    B2[] = {1,  0, -1,  0,
                            0,  1,  1,  0,
                            0, -1,  1,  0,
                            0,  1,  0, -1},
                    G2[] = {1,    0,   0,
                            0.5,  0.5, 0.5,
                            0.5, -0.5, 0.5,
                            0,    0,   1},
                    A2[] = {1, 1,  1,  0,
                            0, 1, -1, -1};
/* clang-format on */

void dg_winograd_ref(int tile, dg_winograd_matrix matrix, const double *from, double *to)
{
    static const double *const matrices[2][3] = {{B2, G2, A2}, {B4, G4, A4}};
    int side = tile + 2, rows = matrix == DG_WINOGRAD_A ? tile : side,
        columns = matrix == DG_WINOGRAD_G ? 3 : side;
    const double *m = matrices[tile == 4][matrix];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            double sum = 0;
            for (int a = 0; a < columns; a++)
                for (int b = 0; b < columns; b++)
                    sum += m[i * columns + a] * from[a * columns + b] * m[j * columns + b];
            to[i * rows + j] = sum;
        }
}
