#ifndef EDGE_RUNTIME_H
#define EDGE_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "constants.h"
#include "failure.h"
#include "file.h"
#include "network.h"
#include "text.h"

/* LiteRT's C library. */
struct library;

/* A network's input or output; for int8, real = (q - zero_point) * scale. `type` is "int8", "float32" or another one. */
struct tensor {
    int rank;
    int32_t shape[MAX_TENSOR_RANK];
    const char *type;
    double scale;
    int64_t zero_point;
    size_t bytes;
};

struct runtime {
    const char *version; /* of the library */
    int threads;
    const char *delegate, *kernel_path;
    struct tensor inputs[MAX_ENTRIES], outputs[MAX_ENTRIES]; /* in the flatbuffer's order */
    size_t input_count, output_count;
    struct session *session;
};

/* "int8 (1, 24, 24, 3)" */
void tensor_shape(const struct tensor *tensor, struct text *text);

/* Find and open the library: $EDGE_INFER_LITERT, else ../lib beside the program's folder, else the system's. */
struct library *library_open(struct failure *failure);
void library_close(struct library *library); /* may be NULL */
/* Load a network; `flatbuffer` must stay as long as the runtime is used. `once`: kernels make their tables of addresses
   when they run, in memory that they share, and do not keep them: megabytes less, and slower where there are more runs
   than one. Where a network's sizes do not follow from the file, tensors are made at once, a megabyte or three more, and
   the outputs' shapes are checked before anything is written there. */
bool runtime_open(struct runtime *runtime, const struct library *library, const struct bytes *flatbuffer,
                  const struct network *network, int threads, bool once, struct failure *failure);
/* Run it: inputs and outputs are of the tensors' bytes. */
bool runtime_run(struct runtime *runtime, void *const *inputs, void *const *outputs, struct failure *failure);
void runtime_close(struct runtime *runtime);
/* Whether LiteRT is at work, and what it says is kept back; then standard error is what it was before. A signal's handler
   may call it. */
bool runtime_interrupted(void);

#endif
