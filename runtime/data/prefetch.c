/* prefetch.c: two buffers, one in use and one being filled. */
#include "runtime/data/prefetch.h"

#include "compiler/base/os.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct dg_prefetch {
    const dg_dataset *set;
    uint64_t window;
    int64_t position, batch; /* of the batch that is made next */
    float *x[2];
    int32_t *y[2];
    int back; /* the buffer being filled */
    bool threaded, wanted, stop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t change;
};

static void make(dg_prefetch *p)
{
    dg_dataset_batch(p->set, DG_PART_TRAIN, p->window, p->position, p->batch, p->x[p->back],
                     p->y[p->back]);
}

static void *work(void *arg)
{
    dg_prefetch *p = arg;
    pthread_mutex_lock(&p->mutex);
    while (!p->stop) {
        if (p->wanted) {
            pthread_mutex_unlock(&p->mutex); /* the other side leaves back and position alone */
            make(p);
            pthread_mutex_lock(&p->mutex);
            p->wanted = false;
            pthread_cond_signal(&p->change);
        } else {
            pthread_cond_wait(&p->change, &p->mutex);
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* Signals are for the threads of the program, which know what to do with them. */
static bool start_thread(dg_prefetch *p)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&p->thread, NULL, work, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

dg_prefetch *dg_prefetch_new(const dg_dataset *s, uint64_t window, int64_t first, int64_t batch)
{
    dg_prefetch *p = calloc(1, sizeof *p);
    if (!p) dg_out_of_memory();
    p->set = s;
    p->window = window;
    p->position = first;
    p->batch = batch;
    for (int i = 0; i < 2; i++) {
        p->x[i] = malloc((size_t)(batch * dg_shape_count(&s->shape)) * sizeof(float));
        p->y[i] = malloc((size_t)batch * sizeof(int32_t));
        if (!p->x[i] || !p->y[i]) dg_out_of_memory();
    }
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->change, NULL);
    p->wanted = true;
    p->threaded = start_thread(p);
    return p;
}

void dg_prefetch_next(dg_prefetch *p, float **x, int32_t **labels)
{
    if (p->threaded) {
        pthread_mutex_lock(&p->mutex);
        while (p->wanted) pthread_cond_wait(&p->change, &p->mutex);
    } else {
        make(p);
    }
    *x = p->x[p->back];
    *labels = p->y[p->back];
    p->back = 1 - p->back;
    p->position += p->batch;
    if (!p->threaded) return;
    p->wanted = true;
    pthread_cond_signal(&p->change);
    pthread_mutex_unlock(&p->mutex);
}

void dg_prefetch_free(dg_prefetch *p)
{
    if (!p) return;
    if (p->threaded) {
        pthread_mutex_lock(&p->mutex);
        p->stop = true;
        pthread_cond_signal(&p->change);
        pthread_mutex_unlock(&p->mutex);
        pthread_join(p->thread, NULL);
    }
    pthread_cond_destroy(&p->change);
    pthread_mutex_destroy(&p->mutex);
    for (int i = 0; i < 2; i++) {
        free(p->x[i]);
        free(p->y[i]);
    }
    free(p);
}
