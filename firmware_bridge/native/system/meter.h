#ifndef EDGE_METER_H
#define EDGE_METER_H

#include <stddef.h>

/* What a run costs: milliseconds, megabytes (10^6 bytes) of resident memory. NaN where the system does not say. */
double now_ms(void);
/* The value below which this share of `count` values, at least 1, lies, on the straight line between the two nearest;
   sorts them. 0.5: the median. */
double percentile(double *values, size_t count, double share);
double peak_mb(void);
double now_mb(void);
double growth_mb(double before); /* at least 0 */

#endif
