/* chart.h: lines in a plane as SVG: panels side by side, each with axes, ticks at round numbers and
 * a grid. The same numbers give the same bytes. */
#ifndef DG_RUNTIME_CHART_H
#define DG_RUNTIME_CHART_H

#include "compiler/base/str.h"

typedef struct dg_panel {
    const char *title, *x_label, *y_label; /* UTF-8; what XML reserves is escaped */
    const double *x, *y;                   /* n points in order; those not finite break the line */
    int64_t n;
} dg_panel;

void dg_chart_svg(dg_text *out, const char *title, const dg_panel *panels, int n);

#endif
