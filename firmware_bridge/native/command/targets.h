#ifndef EDGE_TARGETS_H
#define EDGE_TARGETS_H

#include "manifest.h"

/* What this device has just measured; NaN where it does not say. */
struct here {
    double latency_ms, peak_mb;
    bool is_warm; /* the latency is the median of warm invokes, and not the first invoke */
};

/* Of `count` warm invokes, else the first one. Sorts them. */
struct here here_of(double *warm_ms, size_t count, double first_invoke_ms, double peak_mb);
/* What stands beside a target: this device's measurement, which is put into `room`, else the host's. NULL: nothing was
   measured. */
const struct number *target_measured(const struct manifest *manifest, const struct target *target,
                                     const struct here *here, struct number *room);
bool target_is_met(const struct target *target, const struct number *measured);
/* What is judged: "host", "first invoke", "warm median" or "peak". */
const char *target_basis(const struct target *target, const struct here *here);
/* Whether lines for people show it. */
bool target_has_basis(const struct target *target);

#endif
