/* One label of several: edge/tasks/classification.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "task.h"

struct settings {
    bool are_scores;
    const char *label; /* decided for from the threshold on; NULL: the highest score decides */
    double threshold;
};

struct score {
    const char *label;
    double score;
};

/* Every label, the highest score first. */
struct result {
    struct score *scores;
    size_t count;
};

static void parse(struct manifest *manifest, const struct object *outputs)
{
    static const char *const activations[] = {"softmax", "none", NULL};
    struct settings *settings = manifest->settings = need(sizeof *settings);
    if (!has_one_of_each(manifest, outputs))
        return;
    const struct labels *labels = &manifest->outputs[0].labels;
    const json_t *list = field(outputs, "labels");
    if (fields_ok(outputs) && (labels->count < 2 || !all_differ(labels->at, labels->count)))
        field_wrong(outputs, "labels", list, "2 or more different strings");
    settings->are_scores = field_one_of(outputs, "activation", activations) == 1;
    const json_t *decision = field(outputs, "decision");
    if (!decision || json_is_null(decision))
        return;
    struct object object = field_object(outputs, "decision");
    settings->label = labels->at[field_one_of(&object, "label", (const char *const *)labels->at)];
    settings->threshold = field_share(&object, "threshold", 1);
}

static bool check(const struct manifest *manifest, const struct tensor *outputs, const char *path,
                  struct failure *failure)
{
    int64_t shape[] = {1, (int64_t)manifest->outputs[0].labels.count};
    char expected[60];
    snprintf(expected, sizeof expected, "(1, %lld)", (long long)shape[1]);
    return is_shape(outputs, 2, shape) || misfit(path, outputs, expected, failure);
}

/* s_i = exp(z_i) / sum_j exp(z_j) */
static void softmax(const struct values *logits, double *scores)
{
    float highest = logits->at[0];
    for (size_t index = 1; index < logits->count; index++)
        highest = logits->at[index] > highest ? logits->at[index] : highest;
    double sum = 0;
    for (size_t index = 0; index < logits->count; index++)
        sum += scores[index] = exp((double)logits->at[index] - (double)highest);
    for (size_t index = 0; index < logits->count; index++)
        scores[index] /= sum;
}

/* Labels of equal scores keep the manifest's order. */
static struct result *in_order(const struct manifest *manifest, const struct values *output)
{
    const struct settings *settings = manifest->settings;
    struct result *result = need(sizeof *result);
    struct score *all = result->scores = need(output->count * sizeof *all);
    double *scores = need(output->count * sizeof *scores);
    if (!settings->are_scores)
        softmax(output, scores);
    for (; result->count < output->count; result->count++) {
        size_t index = result->count, place = index;
        struct score one = {manifest->outputs[0].labels.at[index],
                            settings->are_scores ? (double)output->at[index] : scores[index]};
        for (; place > 0 && all[place - 1].score < one.score; place--)
            all[place] = all[place - 1];
        all[place] = one;
    }
    free(scores);
    return result;
}

static size_t place_of(const struct result *result, const char *label)
{
    size_t place = 0;
    while (strcmp(result->scores[place].label, label) != 0)
        place++;
    return place;
}

static bool answer(const struct manifest *manifest, struct values *outputs, struct outcome *outcome,
                   struct failure *failure)
{
    const struct settings *settings = manifest->settings;
    if (settings->are_scores && !clip_scores(outputs, failure))
        return false;
    struct result *result = outcome->result = in_order(manifest, outputs);
    size_t decided = 0;
    if (settings->label) {
        decided = place_of(result, settings->label);
        if (result->scores[decided].score < settings->threshold) /* the highest of the others */
            decided = decided == 0;
    }
    outcome->decision = need_copy(result->scores[decided].label);
    return true;
}

static void record(const struct manifest *manifest, const struct outcome *outcome, struct text *text)
{
    const struct settings *settings = manifest->settings;
    const struct result *result = outcome->result;
    text_word(text, "\"results\": [");
    for (size_t index = 0; index < result->count; index++) {
        text_word(text, index ? ", {\"label\": " : "{\"label\": ");
        text_json(text, result->scores[index].label);
        text_word(text, ", \"score\": ");
        text_float(text, result->scores[index].score);
        text_word(text, "}");
    }
    text_word(text, "], \"decision\": ");
    text_json(text, outcome->decision);
    text_word(text, ", \"threshold\": ");
    if (settings->label)
        text_float(text, settings->threshold);
    else
        text_word(text, "null");
}

static void lines(const struct manifest *manifest, const struct outcome *outcome, bool colour, struct text *text)
{
    const struct settings *settings = manifest->settings;
    const struct result *result = outcome->result;
    struct text why = {0};
    size_t widest = 0;
    for (size_t index = 0; index < result->count; index++) {
        size_t letters = count_letters(result->scores[index].label);
        widest = letters > widest ? letters : widest;
    }
    for (size_t index = 0; index < result->count; index++) {
        const struct score *score = &result->scores[index];
        text_print(text, "  %s%*s  %.4f\n", score->label, (int)(widest - count_letters(score->label)), "", score->score);
    }
    if (!settings->label)
        text_word(&why, "the highest score");
    else
        text_print(&why, "%s %.4f is %s the threshold %g", settings->label,
                   result->scores[place_of(result, settings->label)].score,
                   strcmp(outcome->decision, settings->label) == 0 ? "at least" : "under", settings->threshold);
    add_decision(outcome->decision, why.at, colour, text);
    text_free(&why);
}

static size_t highest(const struct values *values)
{
    size_t best = 0;
    for (size_t index = 1; index < values->count; index++)
        if (values->at[index] > values->at[best])
            best = index;
    return best;
}

static bool agree(const struct manifest *manifest, const struct values *expected, const struct values *given,
                  struct text *reason)
{
    (void)manifest;
    bool same = highest(expected) == highest(given);
    if (!same)
        text_word(reason, ", and another label has the highest score");
    return same;
}

static void free_result(void *result)
{
    if (result)
        free(((struct result *)result)->scores);
    free(result);
}

const struct task task_classification = {.name = "classification", .parse = parse, .check = check, .answer = answer,
                                         .record = record, .lines = lines, .agree = agree, .free_settings = free,
                                         .free_result = free_result};
