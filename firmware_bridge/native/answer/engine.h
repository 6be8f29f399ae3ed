#ifndef EDGE_ENGINE_H
#define EDGE_ENGINE_H

#include "model.h"
#include "runtime.h"
#include "segmentation.h"

enum phase { READ_PHASE, DECODE, PREPROCESS, INVOKE, POSTPROCESS, TOTAL, PHASES };

struct result {
    const char *label;
    double score;
};

/* What the network says of one image. */
struct answer {
    struct result *results; /* of a classification: every label, the highest score first */
    struct outline outline; /* of a segmentation */
    char *decision;
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
    void *input, *output; /* the network's tensors */
    double load_ms, first_invoke_ms, load_mb, model_mb;
};

/* `once`: for one answer only, with less memory and slower from the second one on. */
bool engine_load(struct engine *engine, const char *model, const char *runtime, int threads, bool once,
                 struct failure *failure);
void engine_close(struct engine *engine);
/* Answer the image in a file's bytes, invoking the network `warmup` times uncounted and then `repeat` times. */
bool engine_answer(struct engine *engine, const struct bytes *data, const char *name, long warmup, long repeat,
                   uint64_t max_pixels, struct answer *answer, struct failure *failure);
void answer_free(struct answer *answer);
/* Make the network's input of a decoded image; what makes the answer doubtful is added to `warnings`. */
bool engine_fill(struct engine *engine, struct image *image, struct warnings *warnings, struct failure *failure);
bool engine_invoke(struct engine *engine, struct failure *failure);
/* How many values the output has, and the logit of one of a raw output. */
size_t output_count(const struct engine *engine);
float dequantize(const struct engine *engine, const void *raw, size_t index);

#endif
