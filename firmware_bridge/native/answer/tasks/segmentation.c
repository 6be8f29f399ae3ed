/* One label for each pixel, as regions and a mask: edge/tasks/segmentation.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "mask.h"
#include "memory.h"
#include "outline.h"
#include "overlay.h"
#include "task.h"

enum { SHOWN = 10 }; /* regions in lines of their own, for people */

struct settings {
    const char *label;
    struct rule rule;
};

static void parse(struct manifest *manifest, const struct object *outputs)
{
    static const char *const activations[] = {"sigmoid", "none", NULL};
    struct settings *settings = manifest->settings = need(sizeof *settings);
    if (!has_one_of_each(manifest, outputs))
        return;
    const struct labels *labels = &manifest->outputs[0].labels;
    const json_t *list = field(outputs, "labels");
    if (fields_ok(outputs) && labels->count != 1)
        field_wrong(outputs, "labels", list, "exactly 1 string, what the mask of a segmentation shows");
    settings->rule.are_scores = field_one_of(outputs, "activation", activations) == 1;
    const json_t *decision = field(outputs, "decision");
    if (json_is_null(decision))
        field_wrong(outputs, "decision", decision, "an object of label, threshold and minimum_area, for a segmentation");
    struct object object = field_object(outputs, "decision");
    field_one_of(&object, "label", (const char *const *)labels->at);
    settings->label = labels->count ? labels->at[0] : NULL;
    settings->rule.threshold = field_share(&object, "threshold", 1);
    settings->rule.minimum_area = field_share(&object, "minimum_area", 1);
}

static bool check(const struct manifest *manifest, const struct tensor *outputs, const char *path,
                  struct failure *failure)
{
    const struct preprocessing *input = &manifest->inputs[0];
    const int32_t *shape = outputs->shape;
    if (outputs->rank == 4 && shape[0] == 1 && shape[3] == 1 && shape[1] >= 1 && shape[1] <= input->height &&
        shape[2] >= 1 && shape[2] <= input->width)
        return true;
    char expected[100];
    snprintf(expected, sizeof expected, "(1, h, w, 1) with h from 1 to %lld and w from 1 to %lld",
             (long long)input->height, (long long)input->width);
    return misfit(path, outputs, expected, failure);
}

static bool answer(const struct manifest *manifest, struct values *outputs, struct outcome *outcome,
                   struct failure *failure)
{
    const struct settings *settings = manifest->settings;
    if (settings->rule.are_scores && !clip_scores(outputs, failure))
        return false;
    const int32_t *shape = outputs->tensor->shape;
    struct outline *outline = outcome->result = need(sizeof *outline);
    segment(outline, outputs->at, shape[1], shape[2], outcome->width, outcome->height, &settings->rule,
            &manifest->inputs[0]);
    outcome->decision = need_print("%s%s", outline->region_count ? "" : "no ", settings->label);
    return true;
}

/* COCO's uncompressed run-length encoding: down the columns, in turns of pixels that are not in the mask and that are. */
static void add_mask(const struct outline *outline, struct text *text)
{
    int64_t at = 0, end = outline->width * outline->height;
    text_word(text, ", \"area\": ");
    text_float(text, outline_area(outline));
    text_print(text, ", \"mask\": {\"size\": [%lld, %lld], \"counts\": [", (long long)outline->height,
               (long long)outline->width);
    for (size_t run = 0; run < outline->run_count; run++) {
        text_print(text, "%s%lld, %lld", run ? ", " : "", (long long)(outline->starts[run] - at),
                   (long long)(outline->stops[run] - outline->starts[run]));
        at = outline->stops[run];
    }
    if (at < end)
        text_print(text, "%s%lld", outline->run_count ? ", " : "", (long long)(end - at));
    text_word(text, "]}");
}

static void record(const struct manifest *manifest, const struct outcome *outcome, struct text *text)
{
    const struct settings *settings = manifest->settings;
    const struct outline *outline = outcome->result;
    text_word(text, "\"results\": [");
    for (size_t index = 0; index < outline->region_count; index++) {
        const struct region *region = &outline->regions[index];
        text_word(text, index ? ", {\"label\": " : "{\"label\": ");
        text_json(text, settings->label);
        text_word(text, ", \"score\": ");
        text_float(text, region->score);
        text_word(text, ", \"area\": ");
        text_float(text, outline_share(outline, region->pixels));
        text_print(text, ", \"pixels\": %lld, \"box\": [%lld, %lld, %lld, %lld]}", (long long)region->pixels,
                   (long long)region->box[0], (long long)region->box[1], (long long)region->box[2],
                   (long long)region->box[3]);
    }
    text_word(text, "], \"decision\": ");
    text_json(text, outcome->decision);
    text_word(text, ", \"threshold\": ");
    text_float(text, settings->rule.threshold);
    add_mask(outline, text);
}

static void add_extent(const struct outline *outline, struct text *text)
{
    if (!outline->region_count) {
        text_word(text, "nothing found");
        return;
    }
    text_print(text, "%zu region%s, ", outline->region_count, outline->region_count > 1 ? "s" : "");
    add_percent(outline_area(outline), text);
    text_word(text, " of the image");
}

static void add_regions(const struct outline *outline, const char *label, struct text *text)
{
    size_t shown = outline->region_count < SHOWN ? outline->region_count : SHOWN;
    double together = 0;
    for (size_t index = 0; index < shown; index++) {
        const struct region *region = &outline->regions[index];
        struct text percent = {0};
        add_percent(outline_share(outline, region->pixels), &percent);
        text_print(text, "  %2zu  %s  %.4f  %6s of the image, %lld x %lld pixels at %lld, %lld\n", index + 1, label,
                   region->score, percent.at, (long long)region->box[2], (long long)region->box[3],
                   (long long)region->box[0], (long long)region->box[1]);
        text_free(&percent);
    }
    for (size_t index = shown; index < outline->region_count; index++)
        together += outline_share(outline, outline->regions[index].pixels);
    if (outline->region_count > shown) {
        text_print(text, "      and %zu smaller, together ", outline->region_count - shown);
        add_percent(together, text);
        text_word(text, "\n");
    }
}

static void lines(const struct manifest *manifest, const struct outcome *outcome, bool colour, struct text *text)
{
    const struct settings *settings = manifest->settings;
    struct text why = {0};
    add_regions(outcome->result, settings->label, text);
    add_extent(outcome->result, &why);
    text_print(&why, "; score threshold %g", settings->rule.threshold);
    if (settings->rule.minimum_area != 0) {
        text_word(&why, ", minimum region area ");
        add_percent(settings->rule.minimum_area, &why);
    }
    add_decision(outcome->decision, why.at, colour, text);
    text_free(&why);
}

/* The mask, and the image with it drawn over. */
static size_t draw(const struct manifest *manifest, const struct outcome *outcome, const struct bytes *image,
                   struct drawn drawn[MAX_DRAWN], struct failure *failure)
{
    const struct outline *outline = outcome->result;
    struct text caption = {0};
    (void)manifest;
    text_word(&caption, outcome->decision);
    text_word(&caption, outline->region_count ? ": " : " found");
    if (outline->region_count)
        add_extent(outline, &caption);
    const char *captions[] = {caption.at, NOTICE, NULL};
    drawn[0].ending = ".mask.png";
    drawn[1].ending = ".overlay.jpg";
    bool done = mask_png(outline, &drawn[0].content, failure) &&
                overlay_jpeg(image, "the image", outline, captions, &drawn[1].content, failure);
    text_free(&caption);
    return done ? 2 : 0;
}

/* Whether no more than a small share of the mask is decided otherwise. */
static bool agree(const struct manifest *manifest, const struct values *expected, const struct values *given,
                  struct text *reason)
{
    const struct settings *settings = manifest->settings;
    float limit = (float)bound(&settings->rule);
    size_t flipped = 0;
    for (size_t index = 0; index < given->count; index++)
        flipped += (given->at[index] >= limit) != (expected->at[index] >= limit);
    double share = (double)flipped / (double)given->count;
    if (share > MAX_FLIPPED)
        text_print(reason, ", and %.3g of the mask is decided otherwise, at most %g may be", share, MAX_FLIPPED);
    return share <= MAX_FLIPPED;
}

static void free_result(void *result)
{
    if (result)
        outline_free(result);
    free(result);
}

const struct task task_segmentation = {.name = "segmentation", .parse = parse, .check = check, .answer = answer,
                                       .record = record, .lines = lines, .draw = draw, .agree = agree,
                                       .free_settings = free, .free_result = free_result};
