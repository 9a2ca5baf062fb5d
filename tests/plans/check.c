/* The checker refuses a valid plan in which one thing is wrong, for every kind of thing. */
#include "tests/plans/plan_of.h"

static const char text[] =
    "entry \"corrupt\"\n"
    "place @0 param f32[8, 8] \"w\"\n"
    "place @1 state f32[8, 8] \"m\"\n"
    "place @2 state f32[8, 8] \"other\"\n"
    "input @0 f32[8, 8] \"x\"\n"
    "output @0 f32[8, 8] \"result\"\n"
    "output @1 f32[8, 8] \"carried\"\n"
    "output @2 f32[1, 8] \"sums\"\n"
    "graph {\n"
    "  %0: f32[8, 8] = place {index = 0, dtype = f32, shape = [8, 8]}\n"
    "  %1: f32[8, 8] = place {index = 1, dtype = f32, shape = [8, 8]}\n"
    "  %2: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}\n"
    "  %3: f32[8, 8] = constant {dtype = f32, shape = [8, 8], data = [0.5]}\n"
    "  %4: f32[8, 8] = matmul(%2, %0) {tx = 0, ty = 0}\n"
    "  %5: f32[8, 8] = transpose(%4) {perm = [1, 0]}\n"
    "  %6: f32[8, 8] = matmul(%5, %4) {tx = 0, ty = 0}\n"
    "  %7: f32[8, 8] = softmax(%6) {axis = 1}\n"
    "  %8: f32[8, 8] = matmul(%7, %3) {tx = 0, ty = 0}\n"
    "  %9: f32[8, 8], %10: f32[8, 8], %11: f32[8, 8] = loop(%6, %8, %8) {trips = 6, stop = 0} "
    "(%12: i32, %13: f32[8, 8], %14: f32[8, 8], %15: f32[8, 8]) {\n"
    "    %16: f32[8, 8] = matmul(%13, %14) {tx = 0, ty = 0}\n"
    "    %17: f32[8, 8] = matmul(%16, %7) {tx = 0, ty = 0}\n"
    "    %18: f32[8, 8] = add(%15, %17)\n"
    "    yield %17, %13, %18\n"
    "  }\n"
    "  %19: f32[8, 8] = matmul(%9, %10) {tx = 0, ty = 0}\n"
    "  %20: f32[1, 8] = sum(%19) {axes = [0], keep = 1}\n"
    "  %21: f32[8, 8] = matmul(%11, %19) {tx = 0, ty = 1}\n"
    "  %22: f32[8, 8] = sub(%0, %21)\n"
    "  write(%22) {index = 0}\n"
    "  write(%10) {index = 1}\n"
    "  output(%21) {index = 0}\n"
    "  output(%11) {index = 1}\n"
    "  output(%20) {index = 2}\n"
    "}\n";

/* Programs: a convolution that makes its operand itself and adds to its result, its weight
 * gradient, and a chain that sums. */
static const char programs[] =
    "entry \"programs\"\n"
    "place @0 param f32[32, 32, 3, 3] \"w\"\n"
    "place @1 param f32[1, 32, 1, 1] \"g\"\n"
    "input @0 f32[8, 32, 16, 16] \"x\"\n"
    "output @0 f32[8, 32, 16, 16] \"result\"\n"
    "output @1 f32[8, 32, 16, 1] \"sums\"\n"
    "graph {\n"
    "  %0: f32[32, 32, 3, 3] = place {index = 0, dtype = f32, shape = [32, 32, 3, 3]}\n"
    "  %1: f32[1, 32, 1, 1] = place {index = 1, dtype = f32, shape = [1, 32, 1, 1]}\n"
    "  %2: f32[8, 32, 16, 16] = input {index = 0, dtype = f32, shape = [8, 32, 16, 16]}\n"
    "  %3: f32[8, 32, 16, 16] = mul(%2, %1)\n"
    "  %4: f32[8, 32, 16, 16] = silu(%3)\n"
    "  %5: f32[8, 32, 16, 16] = winograd(%4, %0) {tile = 4, pad = [1, 1, 1, 1], outs = 32, "
    "weights = \"plain\"}\n"
    "  %6: f32[8, 32, 16, 16] = add(%5, %2)\n"
    "  %7: f32[32, 32, 3, 3] = winograd_dw(%4, %6) {tile = 4, pad = [1, 1, 1, 1]} backward\n"
    "  %8: f32[8, 32, 16, 16] = mul(%6, %6)\n"
    "  %9: f32[8, 32, 16, 1] = sum(%8) {axes = [3], keep = 1}\n"
    "  output(%6) {index = 0}\n"
    "  output(%9) {index = 1}\n"
    "  write(%7) {index = 0}\n"
    "}\n";

/* Values that are stored by the steps of their parts: columns of one matrix, then these turned and
 * packed, with another below them. A table. */
static const char wholes[] =
    "entry \"wholes\"\n"
    "place @0 param f32[8, 16] \"w\"\n"
    "place @1 param f32[16, 48] \"v\"\n"
    "input @0 f32[4, 16, 8] \"x\"\n"
    "input @1 f32[4, 16, 16] \"y\"\n"
    "output @0 f32[4, 16, 64] \"result\"\n"
    "output @1 f32[128, 16] \"turned\"\n"
    "graph {\n"
    "  %0: f32[8, 16] = place {index = 0, dtype = f32, shape = [8, 16]}\n"
    "  %1: f32[16, 48] = place {index = 1, dtype = f32, shape = [16, 48]}\n"
    "  %2: f32[4, 16, 8] = input {index = 0, dtype = f32, shape = [4, 16, 8]}\n"
    "  %3: f32[4, 16, 16] = input {index = 1, dtype = f32, shape = [4, 16, 16]}\n"
    "  %4: f32[4, 16, 16] = matmul(%2, %0) {tx = 0, ty = 0}\n"
    "  %5: f32[4, 16, 16] = softmax(%3) {axis = 2}\n"
    "  %6: f32[4, 16, 48] = matmul(%5, %1) {tx = 0, ty = 0}\n"
    "  %7: f32[4, 16, 64] = concat(%4, %6) {axis = 2}\n"
    "  %8: f32[4, 16, 64] = softmax(%7) {axis = 2}\n"
    "  output(%8) {index = 0}\n"
    "  %9: f32[4, 16, 16] = matmul(%5, %5) {tx = 0, ty = 1}\n"
    "  %10: f32[4, 16, 16] = matmul(%5, %9) {tx = 0, ty = 0}\n"
    "  %11: f32[4, 1, 16, 16] = reshape(%9) {shape = [4, 1, 16, 16]}\n"
    "  %12: f32[4, 1, 16, 16] = reshape(%10) {shape = [4, 1, 16, 16]}\n"
    "  %13: f32[4, 2, 16, 16] = concat(%11, %12) {axis = 1}\n"
    "  %14: f32[4, 16, 2, 16] = transpose(%13) {perm = [0, 2, 1, 3]}\n"
    "  %15: f32[128, 16] = reshape(%14) {shape = [128, 16]}\n"
    "  %16: f32[128, 16] = softmax(%15) {axis = 1}\n"
    "  output(%16) {index = 1}\n"
    "}\n";

/* Parts that are stored in a place, over what it held. */
static const char placed[] = "train \"placed\"\n"
                             "place @0 param f32[8, 16] \"w\"\n"
                             "place @1 param f32[8, 16] \"v\"\n"
                             "place @2 state f32[32] \"b\"\n"
                             "input @0 f32[1, 8] \"x\"\n"
                             "output @0 f32 \"result\"\n"
                             "graph {\n"
                             "  %0: f32[8, 16] = place {index = 0, dtype = f32, shape = [8, 16]}\n"
                             "  %1: f32[8, 16] = place {index = 1, dtype = f32, shape = [8, 16]}\n"
                             "  %2: f32[32] = place {index = 2, dtype = f32, shape = [32]}\n"
                             "  %3: f32[1, 8] = input {index = 0, dtype = f32, shape = [1, 8]}\n"
                             "  %4: f32 = sum(%2) {axes = [0], keep = 0}\n"
                             "  output(%4) {index = 0}\n"
                             "  %5: f32[1, 16] = matmul(%3, %0) {tx = 0, ty = 0}\n"
                             "  %6: f32[1, 16] = matmul(%3, %1) {tx = 0, ty = 0}\n"
                             "  %7: f32[1, 32] = concat(%5, %6) {axis = 1}\n"
                             "  %8: f32[32] = reshape(%7) {shape = [32]}\n"
                             "  write(%8) {index = 2} update\n"
                             "}\n";

/* A convolution of three maps, one behind the other, that are read where they lie. */
static const char segments[] =
    "entry \"segments\"\n"
    "place @0 param f32[32, 48, 3, 3] \"w\"\n"
    "input @0 f32[2, 16, 16, 16] \"x\"\n"
    "output @0 f32[2, 32, 16, 16] \"result\"\n"
    "graph {\n"
    "  %0: f32[32, 48, 3, 3] = place {index = 0, dtype = f32, shape = [32, 48, 3, 3]}\n"
    "  %1: f32[2, 16, 16, 16] = input {index = 0, dtype = f32, shape = [2, 16, 16, 16]}\n"
    "  %2: f32[2, 16, 16, 16] = softmax(%1) {axis = 3}\n"
    "  %3: f32[2, 16, 16, 16] = softmax(%2) {axis = 2}\n"
    "  %4: f32[2, 48, 16, 16] = concat(%2, %3, %1) {axis = 1}\n"
    "  %5: f32[2, 32, 16, 16] = winograd(%4, %0) {tile = 4, pad = [1, 1, 1, 1], outs = 32, "
    "weights = \"plain\"}\n"
    "  output(%5) {index = 0}\n"
    "}\n";

/* A 1x1 convolution over one of the maps that it reads. */
static const char overs[] =
    "entry \"overs\"\n"
    "place @0 param f32[16, 32, 1, 1] \"w\"\n"
    "input @0 f32[2, 16, 16, 16] \"x\"\n"
    "output @0 f32[2, 16, 16, 16] \"result\"\n"
    "graph {\n"
    "  %0: f32[16, 32, 1, 1] = place {index = 0, dtype = f32, shape = [16, 32, 1, 1]}\n"
    "  %1: f32[2, 16, 16, 16] = input {index = 0, dtype = f32, shape = [2, 16, 16, 16]}\n"
    "  %2: f32[2, 16, 16, 16] = softmax(%1) {axis = 3}\n"
    "  %3: f32[2, 32, 16, 16] = concat(%1, %2) {axis = 1}\n"
    "  %4: f32[2, 16, 16, 16] = conv2d(%3, %0) {stride = [1, 1], pad = [0, 0, 0, 0], "
    "dilation = [1, 1], groups = 1}\n"
    "  output(%4) {index = 0}\n"
    "}\n";

/* The plan's parts, writable. */
#define VALUES(p) ((dg_plan_value *)(p)->values)
#define STEPS(p) ((dg_plan_step *)(p)->steps)
#define LOOPS(p) ((dg_plan_loop *)(p)->loops)
#define CARRIES(p) ((dg_plan_carry *)(p)->loops[0].carries)
#define PLACES(p) ((dg_plan_place *)(p)->places)

/* A type and strides of the value's own, to be changed: values share those of the plan. */
static dg_type *type_of(dg_plan *p, dg_plan_value *v)
{
    dg_type *own = dg_arena_copy(p->arena, v->type, sizeof *own);
    v->type = own;
    return own;
}

static int64_t *strides_of(dg_plan *p, dg_plan_value *v)
{
    int64_t *own = dg_arena_copy(p->arena, v->stride, DG_MAX_RANK * sizeof *own);
    v->stride = own;
    return own;
}

/* The n-th value that owns bytes of the arena. */
static dg_plan_value *owner(dg_plan *p, int n)
{
    for (int i = 0; i < p->n_values; i++) {
        if (p->values[i].base == i && p->values[i].home == DG_HOME_ARENA && n-- == 0)
            return &VALUES(p)[i];
    }
    fail_msg("the plan has too few buffers");
    return NULL;
}

static int step_of_kind(const dg_plan *p, int kind)
{
    for (int i = 0; i < p->n_steps; i++) {
        if ((int)p->steps[i].kind == kind) return i;
    }
    fail_msg("no step of kind %d", kind);
    return -1;
}

static int swapped(const dg_plan *p)
{
    for (int c = 0; c < p->loops[0].n_carries; c++) {
        if (p->loops[0].carries[c].how == 1) return c;
    }
    fail_msg("no carry is swapped");
    return -1;
}

/* Two values whose buffers are taken at the same step. */
static void two_alive(dg_plan *p, dg_plan_value **a, dg_plan_value **b)
{
    for (int i = 0;; i++) {
        *a = owner(p, i);
        for (int k = 0; k < i; k++) {
            *b = owner(p, k);
            if ((*b)->first <= (*a)->last && (*a)->first <= (*b)->last) return;
        }
    }
}

static void overlap(dg_plan *p)
{
    dg_plan_value *a, *b;
    two_alive(p, &a, &b);
    int64_t from = a->offset;
    for (int i = 0; i < p->n_values; i++) { /* with all that lies there */
        if (p->values[i].home == DG_HOME_ARENA && p->values[i].base == (int)(a - VALUES(p)))
            VALUES(p)[i].offset += b->offset - from;
    }
}
static void misaligned(dg_plan *p)
{
    dg_plan_value *a = owner(p, 1);
    for (int i = 0; i < p->n_values; i++) {
        if (p->values[i].base == (int)(a - VALUES(p))) VALUES(p)[i].offset += 4;
    }
}
static void outside(dg_plan *p)
{
    dg_plan_value *a = owner(p, 2);
    for (int i = 0; i < p->n_values; i++) {
        if (p->values[i].base == (int)(a - VALUES(p))) VALUES(p)[i].offset += p->arena_bytes;
    }
}
static void other_offset_than_base(dg_plan *p)
{
    for (int i = 0; i < p->n_values; i++) {
        if (p->values[i].home == DG_HOME_ARENA && p->values[i].base != i) {
            VALUES(p)[i].offset += 64;
            return;
        }
    }
    fail_msg("no alias");
}
static void view_too_long(dg_plan *p)
{
    for (int i = 0; i < p->n_values; i++) {
        if (p->values[i].of != i) {
            strides_of(p, &VALUES(p)[i])[0] += 8;
            return;
        }
    }
    fail_msg("no view");
}
static void view_of_other(dg_plan *p)
{
    for (int i = 0; i < p->n_values; i++) {
        if (p->values[i].of == i) continue;
        for (int k = 0; k < p->n_values; k++) {
            if (p->values[k].of == k && k != p->values[i].of && p->values[k].base == k)
                VALUES(p)[i].of = k;
        }
        return;
    }
}
static void read_late(dg_plan *p) /* reads what was freed long before */
{
    dg_plan_step *s = &STEPS(p)[p->n_steps - 1];
    ((int32_t *)s->in)[0] = p->steps[0].out[0];
}
static void read_early(dg_plan *p)
{
    ((int32_t *)p->steps[1].in)[0] = p->steps[p->n_steps - 2].out[0];
}
static void steps_exchanged(dg_plan *p)
{
    dg_plan_step s = p->steps[0];
    STEPS(p)[0] = p->steps[1];
    STEPS(p)[1] = s;
}
static void said_to_die_earlier(dg_plan *p)
{
    for (int i = 0; i < p->n_values; i++) {
        if (p->values[i].last > p->values[i].first + 1) {
            VALUES(p)[i].last--;
            return;
        }
    }
}
static void other_producer(dg_plan *p)
{
    owner(p, 0)->producer++;
}
static void carry_not_swapped(dg_plan *p)
{
    CARRIES(p)[swapped(p)].how = 0;
}
static void carries_exchanged(dg_plan *p) /* the swaps in another order */
{
    int first = swapped(p), second = first + 1;
    while (p->loops[0].carries[second].how != 1) second++;
    dg_plan_carry c = CARRIES(p)[first];
    CARRIES(p)[first] = CARRIES(p)[second];
    CARRIES(p)[second] = c;
    int32_t *begin_in = (int32_t *)p->steps[p->loops[0].begin].in,
            *begin_out = (int32_t *)p->steps[p->loops[0].begin].out,
            *end_in = (int32_t *)p->steps[p->loops[0].end].in,
            *end_out = (int32_t *)p->steps[p->loops[0].end].out;
    for (int i = 0; i < p->loops[0].n_carries; i++) {
        begin_in[i] = p->loops[0].carries[i].init;
        begin_out[i + 1] = p->loops[0].carries[i].arg;
        end_in[i] = p->loops[0].carries[i].next;
        end_out[i] = p->loops[0].carries[i].out;
    }
}
static void carry_not_copied_in(dg_plan *p)
{
    for (int c = 0; c < p->loops[0].n_carries; c++) {
        if (!p->loops[0].carries[c].copy_in) continue;
        CARRIES(p)[c].copy_in = false;
        return;
    }
    fail_msg("every carry begins in place");
}
static void carry_of_other_steps(dg_plan *p)
{
    CARRIES(p)[0].next = CARRIES(p)[1].next;
}
static void loop_ends_early(dg_plan *p)
{
    LOOPS(p)[0].end--;
}
static void wrong_parent(dg_plan *p)
{
    LOOPS(p)[0].parent = 0;
}
static void workspace_on_operand(dg_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        const dg_plan_step *s = &p->steps[i];
        for (int k = 0; k < s->n_in; k++) {
            if (p->values[s->in[k]].home != DG_HOME_ARENA) continue;
            STEPS(p)[i].workspace = p->values[p->values[s->in[k]].base].offset;
            STEPS(p)[i].workspace_bytes = 64;
            if (p->workspace_peak < 64) p->workspace_peak = 64;
            return;
        }
    }
}
static void workspace_outside(dg_plan *p)
{
    STEPS(p)[0].workspace = p->arena_bytes;
    STEPS(p)[0].workspace_bytes = 64;
}
static void bound_misstated(dg_plan *p)
{
    p->bound -= 64;
}
static void peak_misstated(dg_plan *p)
{
    p->peak += 64;
    p->arena_bytes += 64;
}
static void sums_misstated(dg_plan *p)
{
    p->weights -= 64;
}
static void place_not_written(dg_plan *p)
{
    PLACES(p)[1].written_value = p->places[1].value;
}
static void place_written_unsaid(dg_plan *p)
{
    PLACES(p)[0].written = false;
}
static void copy_to_other_place(dg_plan *p)
{
    dg_plan_step *s = &STEPS(p)[step_of_kind(p, DG_STEP_COPY)];
    VALUES(p)[s->out[0]].offset = 2;
}
static void product_over_operand(dg_plan *p) /* as in place, where the kernel cannot */
{
    for (int i = 0; i < p->n_steps; i++) {
        const dg_plan_step *s = &p->steps[i];
        if (s->kind != DG_STEP_KERNEL || s->strip || s->n_in != 2 || s->loop >= 0) continue;
        dg_plan_value *x = &VALUES(p)[s->in[0]], *y = &VALUES(p)[s->out[0]];
        if (x->home != DG_HOME_ARENA || y->home != DG_HOME_ARENA || x->of != s->in[0] ||
            x->last != i)
            continue;
        y->base = x->base;
        y->offset = x->offset;
        return;
    }
    fail_msg("no product whose operand dies");
}
static void output_gone(dg_plan *p)
{
    ((dg_plan_port *)p->outputs)[0].value = p->steps[0].out[0];
}
static void no_type(dg_plan *p)
{
    type_of(p, owner(p, 0))->dtype = DG_F64;
}

/* ---- programs ---- */

static dg_plan_step *with_prologue(dg_plan *p)
{
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].prologue) return &STEPS(p)[i];
    fail_msg("no prologue");
    return NULL;
}
static dg_plan_step *with_strip(dg_plan *p, bool epilogue)
{
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].strip && p->steps[i].op->epilogue == epilogue) return &STEPS(p)[i];
    fail_msg("no strip");
    return NULL;
}
static dg_plan_step *with_workspace(dg_plan *p)
{
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].workspace_bytes > 0) return &STEPS(p)[i];
    fail_msg("no workspace");
    return NULL;
}
static void prologue_of_other_operand(dg_plan *p)
{
    ((dg_prologue *)with_prologue(p)->prologue)->operand = 1;
}
static void prologue_over_other_space(dg_plan *p)
{
    ((dg_strip *)with_prologue(p)->prologue->strip)->space.dim[0]--;
}
static void prologue_without_operand(dg_plan *p)
{
    with_prologue(p)->n_in--;
}
static void prologue_forgotten(dg_plan *p)
{
    with_prologue(p)->prologue = NULL;
}
static void epilogue_forgotten(dg_plan *p)
{
    with_strip(p, true)->strip = NULL;
}
static void operand_taken_for_own(dg_plan *p)
{
    with_strip(p, true)->n_own++;
}
static void epilogue_of_other_type(dg_plan *p)
{
    ((dg_dtype *)with_strip(p, true)->strip->in_dtype)[1] = DG_I32;
}
static void chain_reads_ahead(dg_plan *p)
{
    const dg_strip *s = with_strip(p, true)->strip;
    ((dg_strip_code *)s->code)[0].in[0] = s->n_in + s->n_code - 1;
}
static void chain_stores_nothing(dg_plan *p)
{
    const dg_strip *s = with_strip(p, true)->strip;
    ((dg_strip_out *)s->out)[0].reg = s->n_in + s->n_code;
}
static void chain_has_fewer_results(dg_plan *p)
{
    dg_strip *s = (dg_strip *)with_strip(p, false)->strip;
    dg_strip_out *out = DG_NEW_ARRAY(p->arena, dg_strip_out, s->n_out + 1);
    memcpy(out, s->out, sizeof *out * (size_t)s->n_out);
    out[s->n_out] = out[0];
    s->out = out;
    s->n_out++;
}
static void chain_over_other_space(dg_plan *p)
{
    ((dg_strip *)with_strip(p, false)->strip)->space.dim[1] += 3;
}
static void workspace_too_small(dg_plan *p)
{
    with_workspace(p)->workspace_bytes -= 64;
}
static void workspace_misaligned(dg_plan *p)
{
    with_workspace(p)->workspace += 4;
}

/* ---- values that are stored by the steps of their parts ---- */

static int step_into(const dg_plan *p)
{
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].kernel && p->steps[i].kernel->into) return i;
    fail_msg("nothing is put together in place");
    return -1;
}
/* The i-th part of the first whole. */
static dg_plan_value *part(dg_plan *p, int i)
{
    return &VALUES(p)[p->values[p->steps[step_into(p)].in[i]].of];
}
static void move_part(dg_plan *p, int i, int64_t bytes)
{
    int32_t of = (int32_t)(part(p, i) - VALUES(p));
    for (int v = 0; v < p->n_values; v++) {
        if (p->values[v].of != of) continue;
        VALUES(p)[v].shift += bytes;
        VALUES(p)[v].offset += bytes;
    }
}
static void part_elsewhere(dg_plan *p)
{
    move_part(p, 0, 4);
}
static void part_over_another(dg_plan *p)
{
    move_part(p, 1, part(p, 0)->shift - part(p, 1)->shift);
}
static void part_behind_whole(dg_plan *p)
{
    move_part(p, 1, 64);
}
static void part_of_other_strides(dg_plan *p)
{
    strides_of(p, part(p, 0))[1]++;
}
static void part_of_split_rows(dg_plan *p)
{
    strides_of(p, part(p, 0))[2] = 2;
}
static void part_in_other_bytes(dg_plan *p)
{
    dg_plan_value *v = part(p, 0);
    for (int i = 0; i < p->n_values; i++) {
        if (p->values[i].base != i || i == v->base || p->values[i].bytes < v->bytes) continue;
        v->base = i;
        v->home = p->values[i].home;
        v->offset = p->values[i].offset + v->shift;
        return;
    }
}
static void part_by_other_kernel(dg_plan *p)
{
    static dg_kernel packed;
    dg_plan_step *s = &STEPS(p)[part(p, 0)->producer];
    packed = *s->kernel;
    packed.writes = 0;
    s->kernel = &packed;
}
static void part_forgotten(dg_plan *p)
{
    dg_plan_step *s = &STEPS(p)[step_into(p)];
    s->n_own = --s->n_in;
}
static void part_twice(dg_plan *p)
{
    const dg_plan_step *s = &p->steps[step_into(p)];
    ((int32_t *)s->in)[1] = s->in[0];
}
static void parts_exchanged(dg_plan *p)
{
    int32_t *in = (int32_t *)p->steps[step_into(p)].in, first = in[0];
    in[0] = in[1];
    in[1] = first;
}
static void whole_too_early(dg_plan *p) /* before its last part */
{
    int at = step_into(p);
    dg_plan_step s = p->steps[at];
    STEPS(p)[at] = p->steps[at - 1];
    STEPS(p)[at - 1] = s;
}
static void over_first_part(dg_plan *p) /* what is gone before the whole is there */
{
    const dg_plan_value *whole = &p->values[part(p, 0)->base];
    for (int i = 0; i < p->n_values; i++) {
        dg_plan_value *v = &VALUES(p)[i];
        if (v->base != i || v->home != DG_HOME_ARENA || v->first <= part(p, 0)->first ||
            v->first >= whole->first)
            continue;
        for (int k = 0; k < p->n_values; k++)
            if (p->values[k].base == i) VALUES(p)[k].offset += whole->offset - v->offset;
        return;
    }
    fail_msg("nothing is made between the parts");
}
static void old_after_first_part(dg_plan *p) /* a place is read when its new value has begun */
{
    assert_int_equal(p->values[p->steps[1].out[0]].home, DG_HOME_STATE);
    dg_plan_step s = p->steps[0];
    STEPS(p)[0] = p->steps[1];
    STEPS(p)[1] = s;
}
static void whole_not_alone(dg_plan *p) /* a part that nobody stores */
{
    dg_plan_step *s = &STEPS(p)[part(p, 0)->producer];
    s->n_out = 0;
}

/* ---- segments and tables ---- */

static void fewer_segments(dg_plan *p)
{
    dg_plan_step *s = with_prologue(p);
    ((dg_prologue *)s->prologue)->parts--;
    s->n_in--;
}
static void segment_forgotten(dg_plan *p)
{
    with_prologue(p)->n_in--;
}
static void segment_of_other_size(dg_plan *p)
{
    dg_plan_step *s = with_prologue(p);
    dg_plan_value *v = &VALUES(p)[s->in[s->n_in - 1]];
    dg_type *type = type_of(p, v);
    type->shape.dim[2] = 8;
    type->shape.dim[3] = 32;
    strides_of(p, v)[2] = 32;
}
static void segment_with_gaps(dg_plan *p)
{
    dg_plan_step *s = with_prologue(p);
    strides_of(p, &VALUES(p)[s->in[s->n_in - 1]])[3] = 0;
}
static void segments_enlarged(dg_plan *p)
{
    ((dg_prologue *)with_prologue(p)->prologue)->grow = 2;
}
static void segments_of_weights(dg_plan *p)
{
    ((dg_prologue *)with_prologue(p)->prologue)->operand = 1;
}
static void segment_gone(dg_plan *p)
{
    dg_plan_step *s = with_prologue(p);
    ((int32_t *)s->in)[s->n_in - 2] = s->out[0];
}
static void over_without_leave(dg_plan *p)
{
    static dg_kernel other;
    dg_plan_step *s = with_prologue(p);
    other = *s->kernel;
    other.over = NULL;
    s->kernel = &other;
}
static dg_plan_value *table(dg_plan *p)
{
    for (int i = 0; i < p->n_values; i++)
        if (p->values[i].home == DG_HOME_CONST && p->values[i].base == i) return &VALUES(p)[i];
    fail_msg("no table");
    return NULL;
}
static void table_without_data(dg_plan *p)
{
    table(p)->data = NULL;
}
static void table_of_other_size(dg_plan *p)
{
    type_of(p, table(p))->shape.dim[0]++;
}

typedef struct corruption {
    const char *name;
    void (*spoil)(dg_plan *p);
} corruption;

static void refused(const char *source, const corruption *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        plan_text t = plan_of("corrupt", source, NULL, false);
        all[i].spoil(t.plan);
        if (dg_plan_check(t.plan, t.diag)) fail_msg("%s passed the checker", all[i].name);
        assert_string_equal(dg_diag_at(t.diag, 0)->id, "E903");
        plan_text_free(&t);
    }
}

#define CASE(f)                                                                                    \
    {                                                                                              \
#f, f                                                                                      \
    }

static void corrupt_programs(void **state)
{
    (void)state;
    static const corruption all[] = {
        CASE(prologue_of_other_operand), CASE(prologue_over_other_space),
        CASE(prologue_without_operand),  CASE(prologue_forgotten),
        CASE(epilogue_forgotten),        CASE(operand_taken_for_own),
        CASE(epilogue_of_other_type),    CASE(chain_reads_ahead),
        CASE(chain_stores_nothing),      CASE(chain_has_fewer_results),
        CASE(chain_over_other_space),    CASE(workspace_too_small),
        CASE(workspace_misaligned),
    };
    refused(programs, all, sizeof all / sizeof *all);
}

static void corrupt_wholes(void **state)
{
    (void)state;
    static const corruption all[] = {
        CASE(part_elsewhere),        CASE(part_over_another),  CASE(part_behind_whole),
        CASE(part_of_other_strides), CASE(part_of_split_rows), CASE(part_in_other_bytes),
        CASE(part_by_other_kernel),  CASE(part_forgotten),     CASE(part_twice),
        CASE(parts_exchanged),       CASE(whole_too_early),    CASE(over_first_part),
        CASE(whole_not_alone),
    };
    plan_text t = plan_of("corrupt", wholes, NULL, false);
    int n = 0; /* two concats, and what packs the second */
    for (int i = 0; i < t.plan->n_steps; i++)
        n += t.plan->steps[i].kernel && t.plan->steps[i].kernel->into;
    assert_int_equal(n, 3);
    plan_text_free(&t);
    refused(wholes, all, sizeof all / sizeof *all);
}

static void corrupt_placed(void **state)
{
    (void)state;
    static const corruption all[] = {
        CASE(part_elsewhere),  CASE(part_over_another),    CASE(part_behind_whole),
        CASE(part_forgotten),  CASE(part_twice),           CASE(parts_exchanged),
        CASE(whole_too_early), CASE(old_after_first_part),
    };
    plan_text t = plan_of("corrupt", placed, NULL, false);
    assert_int_equal(part(t.plan, 1)->home, DG_HOME_STATE);
    plan_text_free(&t);
    refused(placed, all, sizeof all / sizeof *all);
}

static void corrupt_segments(void **state)
{
    (void)state;
    static const corruption all[] = {
        CASE(fewer_segments),    CASE(segment_forgotten), CASE(segment_of_other_size),
        CASE(segment_with_gaps), CASE(segments_enlarged), CASE(segments_of_weights),
        CASE(segment_gone),
    };
    refused(segments, all, sizeof all / sizeof *all);
}

static void corrupt_overs(void **state)
{
    (void)state;
    static const corruption all[] = {CASE(over_without_leave)};
    plan_text t = plan_of("corrupt", overs, NULL, false);
    const dg_plan_step *s = with_prologue(t.plan);
    const dg_plan_value *v = t.plan->values;
    assert_int_equal(v[s->out[0]].base, v[s->in[s->n_in - 1]].base);
    plan_text_free(&t);
    refused(overs, all, 1);
}

static void corruptions(void **state)
{
    (void)state;
    static const corruption all[] = {
        CASE(overlap),
        CASE(misaligned),
        CASE(outside),
        CASE(other_offset_than_base),
        CASE(view_too_long),
        CASE(view_of_other),
        CASE(read_late),
        CASE(read_early),
        CASE(steps_exchanged),
        CASE(said_to_die_earlier),
        CASE(other_producer),
        CASE(carry_not_swapped),
        CASE(carries_exchanged),
        CASE(carry_not_copied_in),
        CASE(carry_of_other_steps),
        CASE(loop_ends_early),
        CASE(wrong_parent),
        CASE(workspace_on_operand),
        CASE(workspace_outside),
        CASE(bound_misstated),
        CASE(peak_misstated),
        CASE(sums_misstated),
        CASE(place_not_written),
        CASE(place_written_unsaid),
        CASE(copy_to_other_place),
        CASE(product_over_operand),
        CASE(output_gone),
        CASE(no_type),
        CASE(table_without_data),
        CASE(table_of_other_size),
    };
    refused(text, all, sizeof all / sizeof *all);
}

/* What the plan under test must contain for the corruptions to mean anything. */
static void has_it_all(void **state)
{
    (void)state;
    plan_text t = plan_of("corrupt", text, NULL, false);
    dg_plan *p = t.plan;
    assert_int_equal(p->n_loops, 1);
    assert_true(p->places[0].in_place);
    assert_false(p->places[1].in_place);
    assert_false(p->places[2].written);
    step_of_kind(p, DG_STEP_COPY);
    swapped(p);
    plan_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_it_all),       cmocka_unit_test(corruptions),
        cmocka_unit_test(corrupt_programs), cmocka_unit_test(corrupt_wholes),
        cmocka_unit_test(corrupt_placed),   cmocka_unit_test(corrupt_segments),
        cmocka_unit_test(corrupt_overs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
