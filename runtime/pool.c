/* pool.c: threads that share the pieces of one kernel.
 *
 * Pieces are handed out by one atomic word, so a thread that is held up takes fewer of them; which
 * thread runs a piece changes nothing, because pieces are cut by the plan and write to places of
 * their own. Half of the threads take the first piece that is left and half the last: so a part of
 * a value is mostly read by the core whose cache it was written into. Workers wait for the next
 * kernel by spinning for some 50 microseconds (a step is hundreds of kernels in a row) and then
 * park, so that a busy neighbour is not fought for the CPU.
 *
 * A job is open while `open` is true. A worker announces itself in `inside` before it looks at
 * `open`, and the caller closes the job before it waits for `inside` to fall to zero: so nobody
 * reads the fields of a job that is being replaced. */
#include "runtime/pool.h"

#include "compiler/base/os.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SPINS = 2000 };

typedef struct worker {
    struct dg_pool *pool;
    pthread_t thread;
    void *scratch;
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
    atomic_bool waiting; /* the caller, for `inside` to fall to zero */
    atomic_bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
};

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

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

/* Returns when the epoch is no longer `seen`, or the pool stops. */
static void wait_for_job(dg_pool *p, unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&p->epoch) != seen || atomic_load(&p->stop)) return;
        relax();
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
        wait_for_job(p, seen);
        seen = atomic_load(&p->epoch);
        atomic_fetch_add(&p->inside, 1);
        if (atomic_load(&p->open)) run_pieces(p, w);
        if (atomic_fetch_sub(&p->inside, 1) == 1 && atomic_load(&p->waiting)) {
            pthread_mutex_lock(&p->mutex);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->mutex);
        }
    }
    return NULL;
}

/* The last pieces run elsewhere. A worker that lost its CPU to another process may take long: an
 * idle CPU is what makes the kernel move it here, so the caller sleeps rather than yields. */
static void wait_for_workers(dg_pool *p)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&p->inside) == 0) return;
        relax();
    }
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
    atomic_store(&p->taken, 0);
    atomic_store(&p->open, true);
    atomic_fetch_add(&p->epoch, 1);
    if (atomic_load(&p->parked) > 0) {
        pthread_mutex_lock(&p->mutex);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->mutex);
    }
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
