/* A task from outside of the program, as its README explains: each label of each output is present or not. An output's
   entry has `labels`, the `activation` "sigmoid", and `thresholds`, one for each label. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "task.h"

/* One label: where its value is, and from which score on it is present. */
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
        struct number number = number_of(entry, "thresholds", json_array_get(list, index), 0, 1);
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

/* The result is an array of scores, in the order of the rules. */
static bool answer(const struct manifest *manifest, struct values *outputs, struct outcome *outcome,
                   struct failure *failure)
{
    const struct settings *settings = manifest->settings;
    double *scores = outcome->result = need(settings->count * sizeof *scores);
    struct text present = {0};
    (void)failure;
    for (size_t index = 0; index < settings->count; index++) {
        const struct rule *rule = &settings->rules[index];
        scores[index] = 1 / (1 + exp(-(double)outputs[rule->output].at[rule->index]));
        if (scores[index] >= rule->threshold)
            text_print(&present, "%s%s", present.length ? ", " : "", rule->label);
    }
    outcome->decision = present.length ? present.at : need_copy("none");
    return true;
}

static void record(const struct manifest *manifest, const struct outcome *outcome, struct text *text)
{
    const struct settings *settings = manifest->settings;
    const double *scores = outcome->result;
    text_word(text, "\"results\": [");
    for (size_t index = 0; index < settings->count; index++) {
        const struct rule *rule = &settings->rules[index];
        text_word(text, index ? ", {\"label\": " : "{\"label\": ");
        text_json(text, rule->label);
        text_word(text, ", \"score\": ");
        text_float(text, scores[index]);
        text_print(text, ", \"present\": %s}", scores[index] >= rule->threshold ? "true" : "false");
    }
    text_word(text, "], \"decision\": ");
    text_json(text, outcome->decision);
}

static void lines(const struct manifest *manifest, const struct outcome *outcome, bool colour, struct text *text)
{
    const struct settings *settings = manifest->settings;
    const double *scores = outcome->result;
    for (size_t index = 0; index < settings->count; index++)
        text_print(text, "  %s  %.4f\n", settings->rules[index].label, scores[index]);
    add_decision(outcome->decision, "each label by its threshold", colour, text);
}

static size_t draw(const struct manifest *manifest, const struct outcome *outcome, const struct bytes *image,
                   struct drawn drawn[MAX_DRAWN], struct failure *failure)
{
    (void)manifest;
    (void)image;
    (void)failure;
    drawn[0].ending = ".labels.txt";
    text_print(&drawn[0].content, "%s\n", outcome->decision);
    return 1;
}

/* The same labels must be present. */
static bool agree(const struct manifest *manifest, const struct values *expected, const struct values *given,
                  struct text *reason)
{
    const struct settings *settings = manifest->settings;
    bool same = true;
    for (size_t index = 0; index < settings->count; index++) {
        const struct rule *rule = &settings->rules[index];
        double logit = log(rule->threshold / (1 - rule->threshold));
        same = same && ((double)expected[rule->output].at[rule->index] >= logit) ==
                           ((double)given[rule->output].at[rule->index] >= logit);
    }
    if (!same)
        text_word(reason, ", and other labels are present");
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
