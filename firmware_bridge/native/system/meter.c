#include "meter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int by_size(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

double percentile(double *values, size_t count, double share)
{
    qsort(values, count, sizeof *values, by_size);
    double place = share * (double)(count - 1);
    size_t below = (size_t)place, above = below + 1 < count ? below + 1 : below;
    return values[below] + (values[above] - values[below]) * (place - (double)below);
}

double peak_mb(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[200];
    long kilobytes = -1;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    if (kilobytes >= 0)
        return (double)kilobytes * 1024 / 1e6;
    /* Second choice: a process inherits this value from the one that started it. */
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024 / 1e6 : NAN;
}

double now_mb(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages;
    int found = file ? fscanf(file, "%*s %ld", &pages) : 0;
    if (file)
        fclose(file);
    return found == 1 ? (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6 : NAN;
}

double growth_mb(double before)
{
    double growth = now_mb() - before;
    return growth < 0 ? 0 : growth;
}
