/* cpus.c: threads that lost their CPU. */
#include "runtime/cpus.h"

#include <time.h>

enum { LOOK = 400 }; /* spins between two looks at a thread's clock, some 10 microseconds */

/* CPU time of a thread, in nanoseconds; also of one that runs right now. False when unknown. */
static bool thread_time(pthread_t t, long long *ns)
{
    clockid_t clock;
    struct timespec now;
    if (pthread_getcpuclockid(t, &clock) != 0 || clock_gettime(clock, &now) != 0) return false;
    *ns = now.tv_sec * 1000000000LL + now.tv_nsec;
    return true;
}

void dg_cpus_rescue(pthread_t t)
{
    long long before, after;
    if (!thread_time(t, &before)) return;
    for (int i = 0; i < LOOK; i++) dg_cpus_relax();
    int cpu = sched_getcpu();
    if (cpu < 0 || !thread_time(t, &after) || after != before) return;
    cpu_set_t here, mask;
    CPU_ZERO(&here);
    CPU_SET((size_t)cpu, &here);
    if (pthread_getaffinity_np(t, sizeof mask, &mask) != 0 || !CPU_ISSET((size_t)cpu, &mask))
        return;
    if (pthread_setaffinity_np(t, sizeof here, &here) == 0) dg_cpus_release(t, &mask);
}

bool dg_cpus_hold_off(pthread_t t, const cpu_set_t *cpus, cpu_set_t *mask)
{
    if (pthread_getaffinity_np(t, sizeof *mask, mask) != 0) return false;
    cpu_set_t others;
    CPU_AND(&others, mask, cpus);
    CPU_XOR(&others, mask, &others);
    return CPU_COUNT(&others) > 0 && pthread_setaffinity_np(t, sizeof others, &others) == 0;
}

void dg_cpus_release(pthread_t t, const cpu_set_t *mask)
{
    pthread_setaffinity_np(t, sizeof *mask, mask);
}
