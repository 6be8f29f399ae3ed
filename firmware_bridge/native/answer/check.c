#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "meter.h"
#include "report.h"
#include "sha256.h"

#define MAX_FLIPPED 0.01 /* share of a segmentation's logits that may lie on the other side of the threshold */

static size_t highest(const struct engine *engine, const void *raw)
{
    size_t best = 0;
    for (size_t index = 1; index < output_count(engine); index++)
        if (dequantize(engine, raw, index) > dequantize(engine, raw, best))
            best = index;
    return best;
}

/* Add what the difference changes of the answer, as the end of a sentence; return whether that is too much. */
static bool add_change(const struct engine *engine, const void *expected, struct text *reason)
{
    const struct manifest *manifest = &engine->model.manifest;
    if (!manifest->is_segmentation) {
        bool other = highest(engine, engine->output) != highest(engine, expected);
        if (other)
            text_word(reason, ", and another label is the highest");
        return other;
    }
    float limit = (float)bound(manifest->decision.threshold, manifest->are_scores);
    size_t flipped = 0, count = output_count(engine);
    for (size_t index = 0; index < count; index++)
        flipped += (dequantize(engine, engine->output, index) >= limit) != (dequantize(engine, expected, index) >= limit);
    double share = (double)flipped / (double)count;
    if (share > MAX_FLIPPED)
        text_print(reason, ", and %.3g of the mask is decided otherwise, at most %g may be", share, MAX_FLIPPED);
    return share > MAX_FLIPPED;
}

/* The largest difference: in steps of the output, or of a float network in its units. */
static double difference(const struct engine *engine, const void *expected)
{
    double largest = 0;
    for (size_t index = 0; index < output_count(engine); index++) {
        double one = engine->model.manifest.is_int8
                         ? (double)((const int8_t *)engine->output)[index] - (double)((const int8_t *)expected)[index]
                         : (double)((const float *)engine->output)[index] - (double)((const float *)expected)[index];
        if (isnan(one) || fabs(one) > largest)
            largest = fabs(one);
        if (isnan(one))
            return NAN;
    }
    return largest;
}

static void compare(struct engine *engine, const struct golden *golden, const char *member, struct verdict *verdict,
                    struct text *reason)
{
    struct bytes stored;
    struct failure failure = {0};
    if (!model_member(&engine->model, member, &stored, &failure)) { /* was there when the file was read */
        text_word(reason, failure.text);
        free(failure.text);
        return;
    }
    size_t bytes = engine->runtime.output.bytes;
    if (stored.count != bytes) {
        text_print(reason, "the stored output has %zu bytes, the network's has %zu", stored.count, bytes);
    } else if (strcmp(verdict->kernel_path, engine->runtime.kernel_path) == 0 &&
               memcmp(stored.at, engine->output, bytes) == 0) {
        verdict->max_difference = 0;
        verdict->word = "bit-exact";
        verdict->failed = false;
        text_print(reason, "the same bytes as on the host (%s)", verdict->kernel_path);
    } else {
        double largest = verdict->max_difference = difference(engine, stored.at);
        text_print(reason, "the largest difference from the host's %s output is %g, the tolerance %g",
                   verdict->kernel_path, largest, golden->tolerance);
        if (largest <= golden->tolerance && !add_change(engine, stored.at, reason)) {
            verdict->word = "within tolerance";
            verdict->failed = false;
        }
    }
    free(stored.at);
}

struct verdict check_vector(struct engine *engine, const struct golden *golden)
{
    const struct manifest *manifest = &engine->model.manifest;
    size_t output = 0;
    for (size_t index = 0; index < golden->output_count; index++)
        if (strcmp(golden->outputs[index].path, engine->runtime.kernel_path) == 0)
            output = index;
    struct verdict verdict = {golden->image, "failed", golden->outputs[output].path, NAN, NULL, true};
    struct failure failure = {0};
    struct text reason = {0};
    struct bytes file = {0};
    struct image image = {0};
    char hex[65];
    struct sha256 digest;
    if (!model_member(&engine->model, golden->image, &file, &failure) ||
        !image_decode(&image, &file, golden->image, &manifest->input, true, MAX_PIXELS, &failure) ||
        !engine_fill(engine, &image, &image.warnings, &failure)) {
        text_word(&reason, failure.text);
    } else {
        sha256_begin(&digest);
        sha256_add(&digest, engine->input, engine->runtime.input.bytes);
        sha256_hex(&digest, hex);
        if (strcmp(hex, golden->input_sha256) != 0)
            text_word(&reason, "preprocessing gives another input than on the host: compare Pillow's versions");
        else if (!engine_invoke(engine, &failure))
            text_word(&reason, failure.text);
        else
            compare(engine, golden, golden->outputs[output].member, &verdict, &reason);
    }
    free(failure.text);
    free(file.at);
    image_free(&image);
    verdict.reason = reason.at;
    return verdict;
}

void verdict_json(const struct verdict *verdict, const char *model, struct text *text)
{
    text_word(text, "{\"model\": ");
    text_json(text, model);
    text_word(text, ", \"image\": ");
    text_json(text, verdict->image);
    text_print(text, ", \"verdict\": \"%s\", \"kernel_path\": ", verdict->word);
    text_json(text, verdict->kernel_path);
    text_word(text, ", \"max_difference\": ");
    text_float_or_null(text, verdict->max_difference);
    text_word(text, ", \"reason\": ");
    text_json(text, verdict->reason);
    text_word(text, "}\n");
}

void verdict_line(const struct verdict *verdict, bool colour, struct text *text)
{
    text_print(text, "%s: ", verdict->image);
    report_paint(verdict->word, verdict->failed ? "31" : "32", colour, text);
    text_word(text, ": ");
    text_one_line(text, verdict->reason);
    text_word(text, "\n");
}
