/* What a model was built to achieve, beside what was measured: edge/targets.py. */
#include "targets.h"

#include <math.h>
#include <string.h>

#include "meter.h"

static bool is_called(const struct target *target, const char *name)
{
    return strcmp(target->name, name) == 0;
}

struct here here_of(double *warm_ms, size_t count, double first_invoke_ms, double peak)
{
    return (struct here){count ? percentile(warm_ms, count, 0.5) : first_invoke_ms, peak, count > 0};
}

const struct number *target_measured(const struct manifest *manifest, const struct target *target,
                                     const struct here *here, struct number *room)
{
    if (!is_called(target, "latency_ms") && !is_called(target, "memory_mb"))
        return manifest_measured(manifest, target->name);
    *room = (struct number){.value = is_called(target, "latency_ms") ? here->latency_ms : here->peak_mb};
    return isnan(room->value) ? NULL : room;
}

bool target_is_met(const struct target *target, const struct number *measured)
{
    return target->lower_is_better ? measured->value <= target->target.value : measured->value >= target->target.value;
}

const char *target_basis(const struct target *target, const struct here *here)
{
    if (is_called(target, "memory_mb"))
        return "peak";
    return !is_called(target, "latency_ms") ? "host" : here->is_warm ? "warm median" : "first invoke";
}

bool target_has_basis(const struct target *target)
{
    return is_called(target, "latency_ms");
}
