#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "memory.h"
#include "meter.h"
#include "sha256.h"

/* The largest difference of an output: in steps, or of a float network in its units. */
static double difference(const struct engine *engine, size_t output, const void *expected)
{
    const void *given = engine->outputs[output];
    bool is_int8 = engine->model.manifest.is_int8;
    size_t count = engine->runtime.outputs[output].bytes / (is_int8 ? 1 : 4);
    double largest = 0;
    for (size_t index = 0; index < count; index++) {
        double one = is_int8 ? (double)((const int8_t *)given)[index] - (double)((const int8_t *)expected)[index]
                             : (double)((const float *)given)[index] - (double)((const float *)expected)[index];
        if (isnan(one))
            return NAN;
        largest = fmax(largest, fabs(one));
    }
    return largest;
}

/* Whether the task takes both for one answer; else the reason. */
static bool agrees(const struct engine *engine, const struct bytes *stored, struct text *reason)
{
    struct values expected[MAX_ENTRIES], given[MAX_ENTRIES];
    size_t count = engine->runtime.output_count;
    for (size_t index = 0; index < count; index++) {
        expected[index] = dequantized(engine, index, stored[index].at);
        given[index] = dequantized(engine, index, engine->outputs[index]);
    }
    bool agree = engine->model.manifest.task->agree(&engine->model.manifest, expected, given, reason);
    while (count--) {
        free(expected[count].at);
        free(given[count].at);
    }
    return agree;
}

/* Read the outputs that a path gave on the host; false, and the reason, where they are not of the network's sizes. */
static bool read_stored(const struct engine *engine, const struct golden_path *path, struct bytes *stored,
                        struct text *reason)
{
    for (size_t index = 0; index < engine->runtime.output_count; index++) {
        struct failure failure = {0};
        size_t bytes = engine->runtime.outputs[index].bytes;
        if (!model_member(&engine->model, path->members[index], &stored[index], &failure)) {
            text_word(reason, failure.text); /* it was there when the file was read */
            free(failure.text);
            return false;
        }
        if (stored[index].count != bytes) {
            text_print(reason, "the stored output has %zu bytes, the network's has %zu", stored[index].count, bytes);
            return false;
        }
    }
    return true;
}

static void compare(struct engine *engine, const struct golden *golden, const struct golden_path *path,
                    struct verdict *verdict, struct text *reason)
{
    struct bytes stored[MAX_ENTRIES] = {0};
    size_t count = engine->runtime.output_count;
    if (read_stored(engine, path, stored, reason)) {
        bool same = strcmp(path->path, engine->runtime.kernel_path) == 0;
        double largest = 0;
        for (size_t index = 0; index < count; index++) {
            same = same && memcmp(stored[index].at, engine->outputs[index], stored[index].count) == 0;
            double one = difference(engine, index, stored[index].at);
            largest = isnan(one) || isnan(largest) ? NAN : fmax(largest, one);
        }
        verdict->max_difference = same ? 0 : largest;
        if (same)
            text_print(reason, "the same bytes as on the host (%s)", path->path);
        else
            text_print(reason, "the largest difference from the host's %s output is %g, the tolerance %g", path->path,
                       largest, golden->tolerance);
        if (same || (largest <= golden->tolerance && agrees(engine, stored, reason))) {
            verdict->word = same ? "bit-exact" : "within tolerance";
            verdict->failed = false;
        }
    }
    while (count)
        free(stored[--count].at);
}

struct verdict check_vector(struct engine *engine, const struct golden *golden)
{
    const struct golden_path *path = golden->paths;
    const char *name = golden->inputs[0].image; /* the engine takes one */
    for (size_t index = 0; index < golden->path_count; index++)
        if (strcmp(golden->paths[index].path, engine->runtime.kernel_path) == 0)
            path = &golden->paths[index];
    struct verdict verdict = {name, "failed", path->path, NAN, NULL, true};
    struct failure failure = {0};
    struct text reason = {0};
    struct bytes file = {0};
    struct image image = {0};
    char hex[65];
    struct sha256 digest;
    if (!model_member(&engine->model, name, &file, &failure) ||
        !image_decode(&image, &file, name, &engine->model.manifest.inputs[0], true, MAX_PIXELS, &failure) ||
        !engine_fill(engine, &image, &image.warnings, &failure)) {
        text_word(&reason, failure.text);
    } else {
        sha256_begin(&digest);
        sha256_add(&digest, engine->inputs[0], engine->runtime.inputs[0].bytes);
        sha256_hex(&digest, hex);
        if (strcmp(hex, golden->inputs[0].sha256) != 0)
            text_word(&reason, "the preprocessed input differs from the host's: build the model file again with this version "
                               "of edge-compress");
        else if (!engine_invoke(engine, &failure))
            text_word(&reason, failure.text);
        else
            compare(engine, golden, path, &verdict, &reason);
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
    text_float(text, verdict->max_difference);
    text_word(text, ", \"reason\": ");
    text_json(text, verdict->reason);
    text_word(text, "}\n");
}

void verdict_line(const struct verdict *verdict, bool colour, struct text *text)
{
    text_print(text, "%s: ", verdict->image);
    text_paint(text, verdict->word, verdict->failed ? RED : GREEN, colour);
    text_word(text, ": ");
    text_one_line(text, verdict->reason);
    text_word(text, "\n");
}
