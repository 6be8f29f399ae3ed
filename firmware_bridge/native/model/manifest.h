#ifndef EDGE_MANIFEST_H
#define EDGE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "preprocess.h"

/* docs/model-file.md is the specification. */

/* A number that the manifest gives, and is shown as it was written: as an integer or not. */
struct number {
    double value;
    char *digits; /* of an integer, else NULL */
};

struct decision {
    char *label; /* NULL: the highest score decides */
    double threshold, minimum_area;
};

struct target {
    char *name;
    struct number target;
    bool lower_is_better;
};

struct measured {
    char *name;
    struct number number;
};

struct golden {
    char *image, *input_sha256;
    struct {
        char *path, *member;
    } *outputs; /* the kernel path and its output, sorted by path */
    size_t output_count;
    double tolerance;
};

struct manifest {
    char *name, *title;
    bool is_segmentation;
    bool are_scores; /* the network's outputs are scores already, not logits */
    char **labels;
    size_t label_count;
    struct decision decision;
    struct preprocessing input;
    struct target *targets;
    size_t target_count;
    struct measured *measured;
    size_t measured_count;
    uint64_t model_bytes;
    char *model_sha256;
    bool is_int8; /* else float32 */
    struct golden *golden;
    size_t golden_count;
};

/* Read the manifest in `text`; `path` names its file in messages. Fields that are not in the specification are ignored. */
bool manifest_parse(struct manifest *manifest, const char *text, size_t count, const char *path,
                    struct failure *failure);
void manifest_free(struct manifest *manifest);
/* What the host measured under this name, NULL where it did not. */
const struct number *manifest_measured(const struct manifest *manifest, const char *name);

#endif
