/* cpus.h: where threads run, and moving them: for threads that wait for each other while another
 * process takes one of their CPUs. All of it is advice: what the system refuses changes nothing. */
#ifndef DG_RUNTIME_CPUS_H
#define DG_RUNTIME_CPUS_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

/* To the CPU of the calling thread, if `t` had none for some 10 microseconds. `t` may move on from
 * there at once: its mask of CPUs is the same afterwards. */
void dg_cpus_rescue(pthread_t t);

/* While it is held off, `t` is woken on, or moved to, a CPU outside of `cpus`. False when its mask
 * has no other; else `mask` is what it was, for dg_cpus_release. */
bool dg_cpus_hold_off(pthread_t t, const cpu_set_t *cpus, cpu_set_t *mask);
void dg_cpus_release(pthread_t t, const cpu_set_t *mask);

/* Between two looks at what another thread writes. */
static inline void dg_cpus_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

#endif
