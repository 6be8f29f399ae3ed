#ifndef EDGE_NETWORK_H
#define EDGE_NETWORK_H

#include "constants.h"
#include "flatbuffer.h"

enum { MAX_OPTIONS = 20 };

/* A tensor of the graph: what the rules for operators ask of it. */
struct graph_tensor {
    int rank;
    int32_t shape[MAX_TENSOR_RANK];
    bool is_open[MAX_TENSOR_RANK]; /* whether the converter left the size open; it is 1 in `shape` then */
    const char *type;             /* the schema's name: "INT8" */
    size_t scale_count;           /* 0: not quantized */
    const unsigned char *scales;  /* floats, not aligned */
    int64_t axis;                 /* the dimension that has one for each index, where there are several */
    const unsigned char *content; /* of a constant, else NULL */
    size_t bytes;                 /* of the constant */
    bool is_variable;
    const char *origin; /* the operator that made its values, NULL where none did (activation.h) */
};

struct operator {
    const char *name;
    const int32_t *inputs, *outputs; /* numbers of tensors; -1: an optional input that is left out */
    size_t input_count, output_count;
    const struct kind *options; /* NULL where it has none */
    struct value values[MAX_OPTIONS];
};

/* What is to be known of a network that was checked. */
struct network {
    size_t input_count, output_count; /* of its first graph */
    const char *origins[MAX_ENTRIES]; /* those of its outputs; of more than there is room for they are left out */
    bool has_sizes; /* whether the size of everything that is computed follows from the file */
};

/* Check every offset, index, size, name and number of the TFLite flatbuffer in `data`; `where` names the file in messages.
   A runtime trusts much of what a flatbuffer says and ends the process where it should not have. The same as
   edge/network.py: one file is accepted or refused by both. `network` may be NULL. */
bool network_check(const unsigned char *data, size_t size, const char *where, struct network *network,
                   struct failure *failure);

/* The value of an option, NULL where the operator has no such one. */
const struct value *operator_option(const struct operator *operator, const char *name);

/* What LiteRT's kernels take for granted of single operators, and would end the process for: NULL, or what is wrong,
   which the caller frees. The same as edge/operator_rules.py. */
char *operator_fault(const struct operator *operator, const struct graph_tensor *tensors);
/* Whether `operator_fault` has checked how many elements come out. */
bool operator_has_size(const struct operator *operator, const struct graph_tensor *tensors);

#endif
