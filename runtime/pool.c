/* pool.c: threads that share the pieces of one kernel.
 *
 * Pieces are handed out by one atomic word, so a thread that is held up takes fewer of them; which
 * thread runs a piece changes nothing, because pieces are cut by the plan and write to places of
 * their own. Half of the threads take the first piece that is left and half the last: so a part of
 * a value is mostly read by the core whose cache it was written into. Workers wait for the next
 * kernel by spinning for some 50 microseconds (a step is hundreds of kernels in a row) and then
 * park, so that a busy neighbour is not fought for the CPU.
 *
 * A neighbour takes a CPU for some milliseconds, many kernels long. A thread that it interrupts
 * between two pieces is not missed, for the others take them all; one that it interrupts within a
 * piece stops everybody. So a thread that has nothing left to do fetches that one to its own CPU
 * before it sleeps. Sleepers are woken where they slept; two threads would then share a CPU, and
 * the neighbour have the other to itself, until the kernel next compares the CPUs' loads, some tens
 * of milliseconds later. So a worker on the caller's CPU parks at once, and is woken elsewhere.
 *
 * A job is open while `open` is true. A worker announces itself in `inside` before it looks at
 * `open`, and the caller closes the job before it waits for `inside` to fall to zero: so nobody
 * reads the fields of a job that is being replaced. */
#include "runtime/pool.h"

#include "compiler/base/os.h"
#include "runtime/cpus.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SPINS = 2000 };

typedef struct worker {
    struct dg_pool *pool;
    pthread_t thread;
    void *scratch;
    atomic_int cpu;      /* where it ran last; -1: it is on its way elsewhere */
    atomic_bool working; /* may hold a piece */
    cpu_set_t mask;      /* its CPUs, while the caller holds it off some of them */
    bool held_off;
} worker;

struct dg_pool {
    int threads;
    worker *workers; /* [threads]; 0 is the caller */
    int64_t scratch_bytes;

    const dg_call *call;
    dg_piece_fn *piece;
    int64_t count;
    _Atomic uint64_t taken; /* pieces from the front, and BACK of them from the back */
    atomic_int inside;
    atomic_bool open;
    atomic_uint epoch;

    atomic_int parked;
    atomic_bool rescuing;
    atomic_bool waiting; /* the caller, for `inside` to fall to zero */
    atomic_bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
};

#define BACK (UINT64_C(1) << 32)

static void run_pieces(dg_pool *p, worker *w)
{
    dg_call mine = *p->call;
    mine.scratch = w->scratch;
    bool last = (w - p->workers) % 2 != 0;
    for (;;) {
        uint64_t taken =
            atomic_fetch_add_explicit(&p->taken, last ? BACK : 1, memory_order_relaxed);
        int64_t front = (int64_t)(taken % BACK), back = (int64_t)(taken / BACK);
        if (front + back >= p->count) break;
        p->piece(&mine, last ? p->count - 1 - back : front);
    }
}

/* Leaves the job, and wakes the caller if it waits for that. */
static void leave(dg_pool *p)
{
    if (atomic_fetch_sub(&p->inside, 1) == 1 && atomic_load(&p->waiting)) {
        pthread_mutex_lock(&p->mutex);
        pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->mutex);
    }
}

/* The caller may hold the last piece of the open job. One worker at a time looks after it: two
 * would take each other's narrowed mask for its own. */
static void rescue_caller(dg_pool *p)
{
    if (atomic_exchange(&p->rescuing, true)) return;
    atomic_fetch_add(&p->inside, 1);
    if (atomic_load(&p->open)) dg_cpus_rescue(p->workers[0].thread);
    leave(p);
    atomic_store(&p->rescuing, false);
}

/* Returns when the epoch is no longer `seen`, or the pool stops. */
static void wait_for_job(dg_pool *p, worker *w, unsigned seen)
{
    atomic_store(&w->cpu, sched_getcpu());
    if (w->cpu != p->workers[0].cpu) {
        for (int i = 0; i < SPINS; i++) {
            if (atomic_load(&p->epoch) != seen || atomic_load(&p->stop)) return;
            dg_cpus_relax();
        }
        rescue_caller(p);
    }
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->parked, 1);
    while (atomic_load(&p->epoch) == seen && !atomic_load(&p->stop))
        pthread_cond_wait(&p->wake, &p->mutex);
    atomic_fetch_sub(&p->parked, 1);
    pthread_mutex_unlock(&p->mutex);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    dg_pool *p = w->pool;
    unsigned seen = 0;
    while (!atomic_load(&p->stop)) {
        wait_for_job(p, w, seen);
        seen = atomic_load(&p->epoch);
        atomic_fetch_add(&p->inside, 1);
        atomic_store(&w->working, true);
        if (atomic_load(&p->open)) run_pieces(p, w);
        atomic_store(&w->working, false);
        leave(p);
    }
    return NULL;
}

/* Wakes those who are parked. Of threads that ran on the same CPU all but one are woken where no
 * thread of the pool ran, if there is such a CPU. */
static void wake_workers(dg_pool *p)
{
    cpu_set_t taken, seen;
    CPU_ZERO(&taken);
    CPU_ZERO(&seen);
    for (int i = 0; i < p->threads; i++) {
        int cpu = atomic_load(&p->workers[i].cpu);
        if (cpu >= 0) CPU_SET((size_t)cpu, &taken);
    }
    for (int i = 0; i < p->threads; i++) {
        worker *w = &p->workers[i];
        int cpu = atomic_load(&w->cpu);
        bool shared = cpu >= 0 && CPU_ISSET((size_t)cpu, &seen);
        w->held_off = shared && dg_cpus_hold_off(w->thread, &taken, &w->mask);
        if (shared)
            atomic_store(&w->cpu, -1);
        else if (cpu >= 0)
            CPU_SET((size_t)cpu, &seen);
    }
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 1; i < p->threads; i++) {
        worker *w = &p->workers[i];
        if (w->held_off) dg_cpus_release(w->thread, &w->mask);
    }
}

/* The last pieces run elsewhere. */
static void wait_for_workers(dg_pool *p)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&p->inside) == 0) return;
        dg_cpus_relax();
    }
    for (int i = 1; i < p->threads; i++)
        if (atomic_load(&p->workers[i].working)) dg_cpus_rescue(p->workers[i].thread);
    pthread_mutex_lock(&p->mutex);
    atomic_store(&p->waiting, true);
    while (atomic_load(&p->inside) != 0) pthread_cond_wait(&p->done, &p->mutex);
    atomic_store(&p->waiting, false);
    pthread_mutex_unlock(&p->mutex);
}

void dg_pool_run(void *pool, const dg_call *k, int64_t count, dg_piece_fn *piece)
{
    dg_pool *p = pool;
    if (p->threads == 1 || count <= 1 || count >= INT32_MAX) {
        dg_call mine = *k;
        mine.scratch = p->workers[0].scratch;
        for (int64_t i = 0; i < count; i++) piece(&mine, i);
        return;
    }
    p->call = k;
    p->piece = piece;
    p->count = count;
    p->workers[0].thread = pthread_self();
    atomic_store(&p->workers[0].cpu, sched_getcpu());
    atomic_store(&p->taken, 0);
    atomic_store(&p->open, true);
    atomic_fetch_add(&p->epoch, 1);
    if (atomic_load(&p->parked) > 0) wake_workers(p);
    run_pieces(p, &p->workers[0]);
    atomic_store(&p->open, false);
    wait_for_workers(p);
}

dg_pool *dg_pool_new(int threads)
{
    dg_pool *p = calloc(1, sizeof *p);
    if (!p) dg_out_of_memory();
    p->workers = calloc((size_t)threads, sizeof *p->workers);
    if (!p->workers) dg_out_of_memory();
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    p->threads = 1;
    p->workers[0].pool = p;
    for (int i = 0; i < threads; i++) atomic_init(&p->workers[i].cpu, -1);
    for (int i = 1; i < threads; i++) {
        p->workers[i].pool = p;
        if (pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]) != 0) break;
        p->threads = i + 1; /* fewer threads give the same results */
    }
    return p;
}

static void free_scratch(dg_pool *p)
{
    for (int i = 0; i < p->threads; i++) {
        if (p->workers[i].scratch) dg_large_free(p->workers[i].scratch, (size_t)p->scratch_bytes);
        p->workers[i].scratch = NULL;
    }
    p->scratch_bytes = 0;
}

void dg_pool_free(dg_pool *p)
{
    if (!p) return;
    atomic_store(&p->stop, true);
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 1; i < p->threads; i++) pthread_join(p->workers[i].thread, NULL);
    free_scratch(p);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->mutex);
    free(p->workers);
    free(p);
}

int dg_pool_threads(const dg_pool *p)
{
    return p->threads;
}

int64_t dg_pool_scratch(const dg_pool *p)
{
    return p->scratch_bytes;
}

bool dg_pool_reserve(dg_pool *p, int64_t bytes)
{
    if (bytes <= p->scratch_bytes) return true;
    free_scratch(p);
    p->scratch_bytes = bytes;
    for (int i = 0; i < p->threads; i++) {
        p->workers[i].scratch = dg_large_alloc((size_t)bytes);
        if (!p->workers[i].scratch) {
            free_scratch(p);
            return false;
        }
    }
    return true;
}
