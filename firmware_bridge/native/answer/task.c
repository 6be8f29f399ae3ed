#include "task.h"

#include <string.h>

#include "constants.h"

const struct task *task_named(const char *name)
{
    const struct task *const *task = TASKS;
    while (*task && strcmp((*task)->name, name) != 0)
        task++;
    return *task;
}

bool has_one_of_each(const struct manifest *manifest, const struct object *outputs)
{
    if (!fields_ok(outputs))
        return false;
    if (manifest->input_count != 1 || manifest->output_count != 1)
        fail_as(outputs->reader->failure, "model.manifest",
                "the manifest of %s has %zu inputs and %zu outputs: expected one of each for a %s; build the model file "
                "again with edge-compress", outputs->reader->where, manifest->input_count, manifest->output_count,
                manifest->task->name);
    return fields_ok(outputs);
}

bool is_shape(const struct tensor *tensor, int rank, const int64_t *shape)
{
    bool same = tensor->rank == rank;
    for (int index = 0; same && index < rank; index++)
        same = tensor->shape[index] == shape[index];
    return same;
}

bool misfit(const char *path, const struct tensor *output, const char *expected, struct failure *failure)
{
    struct text shape = {0};
    tensor_shape(output, &shape);
    fail_as(failure, "model.tensors",
            "%s has a network whose output is %s, and a manifest that needs %s: correct the manifest and build the model "
            "file again with edge-compress", path, shape.at, expected);
    text_free(&shape);
    return false;
}

bool clip_scores(struct values *values, struct failure *failure)
{
    const float least = (float)-SLACK, most = (float)(1 + SLACK);
    for (size_t index = 0; index < values->count; index++) {
        float score = values->at[index];
        if (score < least || score > most)
            return fail_as(failure, "model.output",
                           "the network's output has the value %g, which is no score: expected values from 0 to 1, as the "
                           "manifest's activation is \"none\"; if these are logits, correct it and pack the model again",
                           (double)score);
        values->at[index] = score < 0 ? 0 : score > 1 ? 1 : score;
    }
    return true;
}

void add_decision(const char *decision, const char *why, bool colour, struct text *text)
{
    text_word(text, "  decision: ");
    text_paint(text, decision, BOLD, colour);
    text_print(text, " (%s)\n", why);
}

void add_percent(double share, struct text *text)
{
    text_print(text, "%.3g %%", 100 * share);
}
