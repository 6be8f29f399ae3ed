#include "activation.h"

#include <string.h>

enum values { UNKNOWN, SCORES, LOGARITHMS };

/* What keeps scores what they are: of their first input, and of all of their inputs. */
static const char *const KEEPS_FIRST[] = {
    "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "DEQUANTIZE", "CAST", "TRANSPOSE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "SLICE", "STRIDED_SLICE", "MEAN", "AVERAGE_POOL_2D", "MAX_POOL_2D", "REDUCE_MAX",
    "REDUCE_MIN", "GATHER", "TILE", "BROADCAST_TO", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "REVERSE_V2", "PAD", "SPLIT_V",
    "UNPACK", NULL};
static const char *const KEEPS_ALL[] = {"CONCATENATION", "PACK", "MAXIMUM", "MINIMUM", NULL};

static bool is_one_of(const char *name, const char *const *known)
{
    while (*known && strcmp(name, *known) != 0)
        known++;
    return *known != NULL;
}

static enum values values_of(const char *origin)
{
    if (!origin)
        return UNKNOWN;
    if (strcmp(origin, "SOFTMAX") == 0 || strcmp(origin, "LOGISTIC") == 0)
        return SCORES;
    return strcmp(origin, "LOG_SOFTMAX") == 0 ? LOGARITHMS : UNKNOWN;
}

/* What made the values of one input. */
static const char *origin_of(const struct operator *operator, size_t index, const struct graph_tensor *tensors)
{
    bool is_there = index < operator->input_count && operator->inputs[index] >= 0;
    return is_there ? tensors[operator->inputs[index]].origin : NULL;
}

/* What made the values of all inputs that are computed; NULL where these are not of one kind. */
static const char *origin_of_all(const struct operator *operator, const struct graph_tensor *tensors)
{
    const char *found = NULL;
    bool any = false;
    for (size_t index = 0; index < operator->input_count; index++) {
        if (operator->inputs[index] < 0 || tensors[operator->inputs[index]].bytes)
            continue;
        const char *origin = origin_of(operator, index, tensors);
        if (any && values_of(origin) != values_of(found))
            return NULL;
        found = any ? found : origin;
        any = true;
    }
    return found;
}

/* Whether it is 1 - p, the score of the other class: a constant less what is computed. */
static bool is_other_class(const struct operator *operator, const struct graph_tensor *tensors)
{
    return strcmp(operator->name, "SUB") == 0 && operator->input_count == 2 && operator->inputs[0] >= 0 &&
           tensors[operator->inputs[0]].bytes && operator->inputs[1] >= 0 && !tensors[operator->inputs[1]].bytes;
}

void activation_note(const struct operator *operator, struct graph_tensor *tensors)
{
    const char *origin = operator->name;
    if (is_one_of(operator->name, KEEPS_FIRST))
        origin = origin_of(operator, 0, tensors);
    else if (strcmp(operator->name, "SPLIT") == 0) /* its first input is the axis */
        origin = origin_of(operator, 1, tensors);
    else if (is_one_of(operator->name, KEEPS_ALL))
        origin = origin_of_all(operator, tensors);
    else if (is_other_class(operator, tensors))
        origin = origin_of(operator, 1, tensors);
    for (size_t index = 0; index < operator->output_count; index++)
        if (operator->outputs[index] >= 0)
            tensors[operator->outputs[index]].origin = origin;
}

bool activation_check(const char *activation, const char *origin, const char *path, struct failure *failure)
{
    enum values values = values_of(origin);
    if (values == UNKNOWN || (values == SCORES && strcmp(activation, "none") == 0))
        return true;
    if (values == LOGARITHMS && strcmp(activation, "softmax") == 0) /* softmax(log(softmax(z))) = softmax(z) */
        return true;
    return fail_as(failure, "model.tensors",
                   "%s has a network that ends in %s, so its outputs are %s, and a manifest whose activation is \"%s\": "
                   "expected \"%s\"; correct the manifest and build the model file again with edge-compress",
                   path, origin, values == SCORES ? "scores" : "logarithms of scores", activation,
                   values == SCORES ? "none" : "softmax");
}
