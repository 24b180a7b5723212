/* A system clock that jumps while a command runs: CLOCK_REALTIME is changed by CLOCK_JUMPS_BY seconds from its second
   reading on; the monotonic clocks stay as they are, as they do where somebody sets the time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    static int readings;
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, at);
    const char *by = getenv("CLOCK_JUMPS_BY");
    if (clock == CLOCK_REALTIME && by && ++readings > 1) at->tv_sec += atol(by);
    return result;
}
