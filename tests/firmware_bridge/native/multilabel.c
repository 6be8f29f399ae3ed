/* A task of one's own for the native program, in one file: any number of labels for an image, each by its own threshold.
   The same as tests/edge/tasks/multilabel.py: an output of the manifest has `labels`, `activation` ("sigmoid") and
   `thresholds`, one for each label. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "task.h"

/* One label: where its value is, and from which score on it is found. */
struct rule {
    const char *label;
    size_t output, index;
    double threshold;
};

struct settings {
    struct rule *rules;
    size_t count;
};

static void parse_output(struct settings *settings, const struct labels *labels, size_t output,
                         const struct object *entry)
{
    static const char *const activations[] = {"sigmoid", NULL};
    size_t size;
    field_one_of(entry, "activation", activations);
    json_t *list = field_list(entry, "thresholds", MAX_LABELS, &size);
    if (list && (!labels->count || size != labels->count))
        field_wrong(entry, "thresholds", list, "one for each label");
    settings->rules = need_more(settings->rules, (settings->count + labels->count) * sizeof *settings->rules);
    for (size_t index = 0; index < labels->count && fields_ok(entry); index++) {
        struct number number = number_of(entry, "thresholds", json_array_get(list, index), -INFINITY, INFINITY);
        settings->rules[settings->count++] = (struct rule){labels->at[index], output, index, number.value};
        free(number.digits);
    }
}

static void parse(struct manifest *manifest, const struct object *outputs)
{
    struct settings *settings = manifest->settings = need(sizeof *settings);
    for (size_t output = 0; output < manifest->output_count; output++)
        parse_output(settings, &manifest->outputs[output].labels, output, &outputs[output]);
}

static bool check(const struct manifest *manifest, const struct tensor *outputs, const char *path,
                  struct failure *failure)
{
    bool fits = true;
    for (size_t output = 0; fits && output < manifest->output_count; output++) {
        int64_t shape[] = {1, (int64_t)manifest->outputs[output].labels.count};
        char expected[60];
        snprintf(expected, sizeof expected, "(1, %lld)", (long long)shape[1]);
        fits = is_shape(&outputs[output], 2, shape) || misfit(path, &outputs[output], expected, failure);
    }
    return fits;
}

static double score_of(const struct rule *rule, const struct values *outputs)
{
    return 1 / (1 + exp(-(double)outputs[rule->output].at[rule->index]));
}

/* The result is an array of scores, in the order of the rules. */
static bool answer(const struct manifest *manifest, struct values *outputs, struct outcome *outcome,
                   struct failure *failure)
{
    const struct settings *settings = manifest->settings;
    double *scores = outcome->result = need(settings->count * sizeof *scores);
    struct text found = {0};
    (void)failure;
    for (size_t index = 0; index < settings->count; index++) {
        const struct rule *rule = &settings->rules[index];
        scores[index] = score_of(rule, outputs);
        if (scores[index] >= rule->threshold)
            text_print(&found, "%s%s", found.length ? ", " : "", rule->label);
    }
    outcome->decision = found.length ? found.at : need_copy("nothing");
    return true;
}

static void record(const struct manifest *manifest, const struct outcome *outcome, struct text *text)
{
    const struct settings *settings = manifest->settings;
    const double *scores = outcome->result;
    const char *between = "";
    text_word(text, "\"results\": [");
    for (size_t index = 0; index < settings->count; index++) {
        text_word(text, index ? ", {\"label\": " : "{\"label\": ");
        text_json(text, settings->rules[index].label);
        text_word(text, ", \"score\": ");
        text_float(text, scores[index]);
        text_word(text, ", \"threshold\": ");
        text_float(text, settings->rules[index].threshold);
        text_word(text, "}");
    }
    text_word(text, "], \"decision\": ");
    text_json(text, outcome->decision);
    text_word(text, ", \"found\": [");
    for (size_t index = 0; index < settings->count; index++) {
        if (scores[index] < settings->rules[index].threshold)
            continue;
        text_word(text, between);
        text_json(text, settings->rules[index].label);
        between = ", ";
    }
    text_word(text, "]");
}

static void lines(const struct manifest *manifest, const struct outcome *outcome, bool colour, struct text *text)
{
    const struct settings *settings = manifest->settings;
    const double *scores = outcome->result;
    for (size_t index = 0; index < settings->count; index++)
        text_print(text, "  %s  %.4f (from %g on)\n", settings->rules[index].label, scores[index],
                   settings->rules[index].threshold);
    char *why = need_print("of %zu labels", settings->count);
    add_decision(outcome->decision, why, colour, text);
    free(why);
}

static size_t draw(const struct manifest *manifest, const struct outcome *outcome, const struct bytes *image,
                   struct drawn drawn[MAX_DRAWN], struct failure *failure)
{
    const struct settings *settings = manifest->settings;
    const double *scores = outcome->result;
    (void)image;
    (void)failure;
    drawn[0].ending = ".scores.csv";
    for (size_t index = 0; index < settings->count; index++)
        text_print(&drawn[0].content, "%s,%.6f\n", settings->rules[index].label, scores[index]);
    return 1;
}

/* The same labels must be found. */
static bool agree(const struct manifest *manifest, const struct values *expected, const struct values *given,
                  struct text *reason)
{
    const struct settings *settings = manifest->settings;
    bool same = true;
    for (size_t index = 0; index < settings->count; index++) {
        const struct rule *rule = &settings->rules[index];
        same = same && (score_of(rule, expected) >= rule->threshold) == (score_of(rule, given) >= rule->threshold);
    }
    if (!same)
        text_word(reason, ", and other labels are found");
    return same;
}

static void free_settings(void *settings)
{
    free(((struct settings *)settings)->rules);
    free(settings);
}

const struct task task_multilabel = {.name = "multilabel", .parse = parse, .check = check, .answer = answer,
                                     .record = record, .lines = lines, .draw = draw, .agree = agree,
                                     .free_settings = free_settings, .free_result = free};
