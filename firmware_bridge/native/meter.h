#ifndef EDGE_METER_H
#define EDGE_METER_H

#include <stddef.h>

/* What a run costs: milliseconds, megabytes (10^6 bytes) of resident memory. NaN where the system does not say. */
double now_ms(void);
double median(double *values, size_t count); /* sorts them */
double peak_mb(void);
double now_mb(void);
double growth_mb(double before); /* at least 0 */

#endif
