/* chart.c: see chart.h. Lengths are in pixels of the SVG. */
#include "runtime/chart.h"

#include <math.h>
#include <string.h>

enum {
    HEAD = 40, /* above the panels: the title */
    LEFT = 66,
    RIGHT = 18,
    TOP = 30,
    BOTTOM = 50, /* around a panel's plot */
    WIDE = 300,
    HIGH = 240, /* the plot */
    DOTS = 60   /* points beyond which no dots are drawn */
};

static void add_escaped(dg_text *t, const char *text)
{
    for (; *text; text++) {
        const char *as = *text == '&'   ? "&amp;"
                         : *text == '<' ? "&lt;"
                         : *text == '>' ? "&gt;"
                         : *text == '"' ? "&quot;"
                                        : NULL;
        if (as)
            dg_text_add(t, "%s", as);
        else if ((unsigned char)*text >= ' ')
            dg_text_addn(t, text, 1);
    }
}

/* ---- axes ---- */

typedef struct axis {
    double lo, hi, step; /* lo and hi are multiples of step */
} axis;

/* About five steps of 1, 2 or 5 times a power of ten; zero is taken in where it is near. */
static axis axis_of(const double *v, int64_t n)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(v[i])) continue;
        lo = fmin(lo, v[i]);
        hi = fmax(hi, v[i]);
    }
    if (!(lo <= hi)) return (axis){0, 1, 0.2};
    if (lo > 0 && lo < 0.5 * hi) lo = 0;
    if (hi < 0 && hi > 0.5 * lo) hi = 0;
    if (!(hi - lo > 1e-12 * fmax(fabs(lo), fabs(hi)))) {
        double room = lo == 0 ? 1 : fabs(lo) * 0.5;
        lo -= room;
        hi += room;
    }
    double rough = (hi - lo) / 5, power = pow(10, floor(log10(rough))), part = rough / power;
    axis a = {.step = power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10)};
    a.lo = a.step * floor(lo / a.step + 1e-9);
    a.hi = a.step * ceil(hi / a.step - 1e-9);
    return a;
}

static double place(const axis *a, double v, double length)
{
    return (v - a->lo) / (a->hi - a->lo) * length;
}

/* Multiples of the step, so that 0.30000000000000004 is 0.3. */
static void add_number(dg_text *t, const axis *a, int i)
{
    double v = (floor(a->lo / a->step + 0.5) + i) * a->step;
    dg_text_add(t, "%.6g", fabs(v) < 1e-9 * a->step ? 0.0 : v);
}

static int ticks(const axis *a)
{
    return (int)floor((a->hi - a->lo) / a->step + 0.5);
}

static void add_axes(dg_text *t, const axis *x, const axis *y)
{
    for (int i = 0; i <= ticks(x); i++) {
        double at = (double)i * WIDE / ticks(x);
        dg_text_add(t, "<path class=\"grid\" d=\"M%.2f 0V%d\"/>", at, HIGH);
        dg_text_add(t, "<path class=\"axis\" d=\"M%.2f %dv5\"/>", at, HIGH);
        dg_text_add(t, "<text x=\"%.2f\" y=\"%d\" text-anchor=\"middle\">", at, HIGH + 19);
        add_number(t, x, i);
        dg_text_add(t, "</text>\n");
    }
    for (int i = 0; i <= ticks(y); i++) {
        double at = HIGH - (double)i * HIGH / ticks(y);
        dg_text_add(t, "<path class=\"grid\" d=\"M0 %.2fH%d\"/>", at, WIDE);
        dg_text_add(t, "<path class=\"axis\" d=\"M0 %.2fh-5\"/>", at);
        dg_text_add(t, "<text x=\"-9\" y=\"%.2f\" text-anchor=\"end\" dy=\"0.35em\">", at);
        add_number(t, y, i);
        dg_text_add(t, "</text>\n");
    }
    dg_text_add(t, "<path class=\"axis\" d=\"M0 0V%dH%d\"/>\n", HIGH, WIDE);
}

/* ---- panels ---- */

static void add_line(dg_text *t, const dg_panel *p, const axis *x, const axis *y)
{
    bool pen = false;
    dg_text_add(t, "<path class=\"line\" d=\"");
    for (int64_t i = 0; i < p->n; i++) {
        bool there = isfinite(p->x[i]) && isfinite(p->y[i]);
        if (there)
            dg_text_add(t, "%s%.2f %.2f", pen ? "L" : "M", place(x, p->x[i], WIDE),
                        HIGH - place(y, p->y[i], HIGH));
        pen = there;
    }
    dg_text_add(t, "\"/>\n");
    for (int64_t i = 0; i < p->n && p->n <= DOTS; i++)
        if (isfinite(p->x[i]) && isfinite(p->y[i]))
            dg_text_add(t, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"2.5\"/>\n", place(x, p->x[i], WIDE),
                        HIGH - place(y, p->y[i], HIGH));
}

static void add_panel(dg_text *t, const dg_panel *p, int index)
{
    axis x = axis_of(p->x, p->n), y = axis_of(p->y, p->n);
    dg_text_add(t, "<g transform=\"translate(%d %d)\">\n", index * (LEFT + WIDE + RIGHT) + LEFT,
                HEAD + TOP);
    add_axes(t, &x, &y);
    add_line(t, p, &x, &y);
    dg_text_add(t, "<text x=\"%d\" y=\"-12\" text-anchor=\"middle\" font-weight=\"bold\">",
                WIDE / 2);
    add_escaped(t, p->title);
    dg_text_add(t, "</text>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", WIDE / 2, HIGH + 40);
    add_escaped(t, p->x_label);
    dg_text_add(t,
                "</text>\n<text transform=\"translate(-50 %d) rotate(-90)\" "
                "text-anchor=\"middle\">",
                HIGH / 2);
    add_escaped(t, p->y_label);
    dg_text_add(t, "</text>\n</g>\n");
}

void dg_chart_svg(dg_text *out, const char *title, const dg_panel *panels, int n)
{
    int width = n * (LEFT + WIDE + RIGHT), height = HEAD + TOP + HIGH + BOTTOM;
    dg_text_add(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                "viewBox=\"0 0 %d %d\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\" "
                "fill=\"#222\">\n<title>",
                width, height, width, height);
    add_escaped(out, title);
    dg_text_add(out,
                "</title>\n<style>.axis{fill:none;stroke:#222}.grid{fill:none;stroke:#ddd}"
                ".line{fill:none;stroke:#1f5fa8;stroke-width:2;stroke-linejoin:round}"
                "circle{fill:#1f5fa8}</style>\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
                "<text x=\"%d\" y=\"26\" font-size=\"15\">",
                LEFT);
    add_escaped(out, title);
    dg_text_add(out, "</text>\n");
    for (int i = 0; i < n; i++) add_panel(out, &panels[i], i);
    dg_text_add(out, "</svg>\n");
}
