#ifndef EDGE_ENGINE_H
#define EDGE_ENGINE_H

#include "model.h"
#include "runtime.h"
#include "task.h"

enum phase { READ_PHASE, DECODE, PREPROCESS, INVOKE, POSTPROCESS, TOTAL, PHASES };

/* What the network says of one image. */
struct answer {
    struct outcome outcome;
    double ms[PHASES];
    double *warm_ms; /* of each counted invoke */
    size_t warm_count; /* 0: all that ran was the engine's first */
    struct warnings warnings; /* what makes it doubtful; moved here from the image */
};

/* A model that is loaded and answers images. NaN: not known yet, or not at all. */
struct engine {
    struct model model;
    char model_sha256[65]; /* the digest that the file ends with */
    struct library *library;
    struct runtime runtime;
    float floats[3][256];
    int8_t int8s[3][256];
    void *inputs[MAX_ENTRIES], *outputs[MAX_ENTRIES]; /* the network's tensors */
    double load_ms, first_invoke_ms, load_mb, model_mb;
};

/* `once`: for one answer only, with less memory and slower from the second one on. */
bool engine_load(struct engine *engine, const char *model, const char *runtime, int threads, bool once,
                 struct failure *failure);
void engine_close(struct engine *engine);
/* Answer the image in a file's bytes, invoking the network `warmup` times uncounted and then `repeat` times. */
bool engine_answer(struct engine *engine, const struct bytes *data, const char *name, long warmup, long repeat,
                   uint64_t max_pixels, struct answer *answer, struct failure *failure);
void answer_free(const struct engine *engine, struct answer *answer);
/* Make the network's input of a decoded image; what makes the answer doubtful is added to `warnings`. */
bool engine_fill(struct engine *engine, struct image *image, struct warnings *warnings, struct failure *failure);
bool engine_invoke(struct engine *engine, struct failure *failure);
/* The real numbers of a raw output; the caller frees them. */
struct values dequantized(const struct engine *engine, size_t output, const void *raw);

#endif
