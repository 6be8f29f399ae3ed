#ifndef EDGE_MANIFEST_H
#define EDGE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "constants.h"
#include "fields.h"
#include "preprocess.h"

/* docs/model-file.md is the specification. */

struct task;

struct labels {
    char **at; /* ends in NULL */
    size_t count;
};

/* What the format itself knows of an output; the rest of its entry is the task's. */
struct output_entry {
    struct labels labels;
    char *activation; /* NULL: none was given */
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

/* Images, and the outputs that they must give. */
struct golden {
    struct golden_input {
        char *image, *sha256; /* of the input tensor's bytes */
    } *inputs; /* as many as the manifest has */
    struct golden_path {
        char *path, **members; /* a kernel path, and the members with its outputs, as many as the manifest has */
    } *paths; /* sorted by path */
    size_t path_count;
    double tolerance;
};

struct manifest {
    char *name, *title;
    const struct task *task;
    void *settings; /* the task's */
    struct preprocessing inputs[MAX_ENTRIES];
    struct output_entry outputs[MAX_ENTRIES];
    size_t input_count, output_count;
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
bool all_differ(char *const *words, size_t count);
/* What the host measured under this name, NULL where it did not. */
const struct number *manifest_measured(const struct manifest *manifest, const char *name);

#endif
