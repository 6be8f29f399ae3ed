#ifndef EDGE_TASK_H
#define EDGE_TASK_H

#include "failure.h"
#include "fields.h"
#include "file.h"
#include "manifest.h"
#include "runtime.h"
#include "text.h"

enum { MAX_DRAWN = 8 };

/* What the network gave in one of its outputs, in real numbers; all finite where they come from an image. */
struct values {
    const struct tensor *tensor;
    float *at;
    size_t count;
};

/* What a model answers about one image of width x height pixels: `result` is the task's own, `decision` is one line. */
struct outcome {
    int64_t width, height;
    void *result;
    char *decision;
};

/* A file for the folder of --output: its name is the image's with this ending, ".mask.png". */
struct drawn {
    const char *ending;
    struct text content;
};

/* A task: what the outputs of a network mean. Each is one file in answer/tasks/, or one that is named by
   cmake -DEDGE_TASKS=FILE, which defines `const struct task task_NAME`, as the file is called; the same as
   edge/tasks/NAME.py. All of it gets a manifest whose `settings` are what `parse` made. */
struct task {
    const char *name; /* the manifest's `task` */
    /* Read the entries of the manifest's `outputs`, one object each, into `settings`. Labels and activation are in the
       manifest already, and checked as far as every task wants them. What is wrong is noted by the functions of fields.h. */
    void (*parse)(struct manifest *manifest, const struct object *outputs);
    /* Whether the network's outputs have the shapes that the task needs; else a failure by `misfit`. */
    bool (*check)(const struct manifest *manifest, const struct tensor *outputs, const char *path,
                  struct failure *failure);
    /* Make result and decision of the outputs, whose values it may change. */
    bool (*answer)(const struct manifest *manifest, struct values *outputs, struct outcome *outcome,
                   struct failure *failure);
    /* The fields of the JSON object that are the task's: `"results": [...], "decision": "..."`. */
    void (*record)(const struct manifest *manifest, const struct outcome *outcome, struct text *text);
    /* Lines for people; the last one says what was decided and why: add_decision. */
    void (*lines)(const struct manifest *manifest, const struct outcome *outcome, bool colour, struct text *text);
    /* The files of --output beside the JSON; `image` is the image's file. How many there are, 0 on failure. NULL: none. */
    size_t (*draw)(const struct manifest *manifest, const struct outcome *outcome, const struct bytes *image,
                   struct drawn drawn[MAX_DRAWN], struct failure *failure);
    /* Whether outputs that differ by no more than the tolerance are still the same answer; else the reason, as the end of
       a sentence. */
    bool (*agree)(const struct manifest *manifest, const struct values *expected, const struct values *given,
                  struct text *reason);
    void (*free_settings)(void *settings);
    void (*free_result)(void *result);
};

extern const struct task *const TASKS[]; /* made by CMake; ends in NULL */

const struct task *task_named(const char *name); /* NULL: there is none */

/* For tasks. */

/* Note that a manifest does not have exactly one input and one output, where it does not. */
bool has_one_of_each(const struct manifest *manifest, const struct object *outputs);
/* Whether a tensor has this shape. */
bool is_shape(const struct tensor *tensor, int rank, const int64_t *shape);
/* Note that an output has another shape than was expected: "(1, 3)"; return false. */
bool misfit(const char *path, const struct tensor *output, const char *expected, struct failure *failure);
/* Clip outputs that are scores already, as the activation is "none", to 0..1; fail where one is none. */
bool clip_scores(struct values *values, struct failure *failure);
/* Add "  decision: DECISION (WHY)". */
void add_decision(const char *decision, const char *why, bool colour, struct text *text);
void add_percent(double share, struct text *text);

#endif
