#include "engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "meter.h"
#include "plausibility.h"
#include "shortage.h"
#include "text.h"

static void show_shape(const struct tensor *tensor, struct text *text)
{
    text_print(text, "%s (", tensor->type);
    for (int index = 0; index < tensor->rank; index++)
        text_print(text, "%s%d", index ? ", " : "", (int)tensor->shape[index]);
    text_word(text, tensor->rank == 1 ? ",)" : ")");
}

static bool is_shape(const struct tensor *tensor, int rank, const int64_t *shape)
{
    bool same = tensor->rank == rank;
    for (int index = 0; same && index < rank; index++)
        same = tensor->shape[index] == shape[index];
    return same;
}

static bool check_tensor(const struct engine *engine, const char *name, const struct tensor *tensor, bool fits,
                        const char *expected, struct failure *failure)
{
    const struct manifest *manifest = &engine->model.manifest;
    const char *type = manifest->is_int8 ? "int8" : "float32";
    size_t size = manifest->is_int8 ? 1 : 4;
    for (int index = 0; index < tensor->rank; index++)
        size *= (size_t)tensor->shape[index];
    if (!fits || strcmp(tensor->type, type) != 0 || tensor->bytes != size) {
        struct text shape = {0};
        show_shape(tensor, &shape);
        fail_as(failure, "model.tensors",
                "%s has a network whose %s is %s, and a manifest that says %s %s: correct the manifest and build the "
                "model file again with edge-compress", engine->model.path, name, shape.at, type, expected);
        text_free(&shape);
        return false;
    }
    if (manifest->is_int8 && !(tensor->scale > 0 && isfinite(tensor->scale))) {
        struct text scale = {0};
        text_float(&scale, tensor->scale);
        fail_as(failure, "model.tensors",
                "%s has a network whose int8 %s has no quantization (scale %s): convert the network again with "
                "edge-compress", engine->model.path, name, scale.at);
        text_free(&scale);
        return false;
    }
    return true;
}

static bool check_tensors(const struct engine *engine, struct failure *failure)
{
    const struct manifest *manifest = &engine->model.manifest;
    const struct preprocessing *how = &manifest->input;
    const struct tensor *output = &engine->runtime.output;
    int64_t in[4] = {1, how->height, how->width, how->channels}, out[2] = {1, (int64_t)manifest->label_count};
    char expected_in[100], expected_out[100];
    snprintf(expected_in, sizeof expected_in, "(1, %lld, %lld, %d)", (long long)how->height, (long long)how->width,
             how->channels);
    snprintf(expected_out, sizeof expected_out, "(1, %zu)", manifest->label_count);
    bool fits = is_shape(output, 2, out);
    if (manifest->is_segmentation) {
        snprintf(expected_out, sizeof expected_out, "(1, h, w, 1) with h from 1 to %lld and w from 1 to %lld",
                 (long long)how->height, (long long)how->width);
        const int32_t *shape = output->shape;
        fits = output->rank == 4 && shape[0] == 1 && shape[3] == 1 && shape[1] >= 1 && shape[1] <= how->height &&
               shape[2] >= 1 && shape[2] <= how->width;
    }
    return check_tensor(engine, "input", &engine->runtime.input, is_shape(&engine->runtime.input, 4, in), expected_in,
                       failure) &&
           check_tensor(engine, "output", output, fits, expected_out, failure);
}

bool engine_load(struct engine *engine, const char *model, const char *runtime, int threads, bool once,
                 struct failure *failure)
{
    *engine = (struct engine){.first_invoke_ms = NAN, .model_mb = NAN};
    char *path = model_find(model, failure);
    if (!path)
        return false;
    if (strcmp(runtime, "tflite") == 0 || strcmp(runtime, "edgetpu") == 0)
        fail_as(failure, "runtime.missing",
                "the runtime %s is not part of the native edge-infer: expected litert; use --runtime litert, or "
                "edge-infer for Python", runtime);
    engine->library = failure->text || !check_descriptors(failure) ? NULL : library_open(failure);
    double before = now_mb(), begun = now_ms();
    bool has_sizes = false;
    bool loaded = engine->library && model_read(&engine->model, path, failure) &&
                  model_network(&engine->model, &has_sizes, failure) &&
                  check_threads(threads, engine->model.data.count, failure) &&
                  runtime_open(&engine->runtime, engine->library, &engine->model.data, threads, once, !has_sizes,
                               failure) &&
                  check_tensors(engine, failure);
    free(path);
    if (!loaded) {
        explain_shortage(failure);
        return false;
    }
    memcpy(engine->model_sha256, engine->model.data.at + engine->model.data.count - 64, 64);
    model_rest(&engine->model); /* LiteRT has packed the weights its own way */
    const struct preprocessing *how = &engine->model.manifest.input;
    if (engine->model.manifest.is_int8)
        int8_table(how, engine->runtime.input.scale, engine->runtime.input.zero_point, engine->int8s);
    else
        float_table(how, engine->floats);
    engine->input = need(engine->runtime.input.bytes);
    engine->output = need(engine->runtime.output.bytes);
    engine->load_ms = now_ms() - begun;
    engine->load_mb = growth_mb(before);
    return true;
}

void engine_close(struct engine *engine)
{
    runtime_close(&engine->runtime);
    library_close(engine->library);
    model_close(&engine->model);
    free(engine->input);
    free(engine->output);
}

bool engine_fill(struct engine *engine, struct image *image, struct warnings *warnings, struct failure *failure)
{
    const struct manifest *manifest = &engine->model.manifest;
    unsigned char *pixels = preprocess_pixels(image, &manifest->input);
    if (!pixels)
        return fail_as(failure, "image.memory", "the memory is full: use smaller images or a smaller model");
    doubt_uniform(pixels, image->channels, image->width, image->height, &manifest->input, warnings);
    look_up(pixels, image->channels, &manifest->input, manifest->is_int8 ? NULL : engine->floats,
            manifest->is_int8 ? engine->int8s : NULL, engine->input);
    free(pixels);
    return true;
}

bool engine_invoke(struct engine *engine, struct failure *failure)
{
    if (!isnan(engine->first_invoke_ms))
        return runtime_run(&engine->runtime, engine->input, engine->output, failure);
    double before = now_mb(), begun = now_ms();
    bool done = runtime_run(&engine->runtime, engine->input, engine->output, failure);
    engine->first_invoke_ms = now_ms() - begun;
    engine->model_mb = engine->load_mb + growth_mb(before);
    return done;
}

size_t output_count(const struct engine *engine)
{
    return engine->runtime.output.bytes / (engine->model.manifest.is_int8 ? 1 : 4);
}

float dequantize(const struct engine *engine, const void *raw, size_t index)
{
    const struct tensor *output = &engine->runtime.output;
    if (!engine->model.manifest.is_int8)
        return ((const float *)raw)[index];
    return ((float)((const int8_t *)raw)[index] - (float)output->zero_point) * (float)output->scale;
}

/* Clip outputs that are scores already to 0..1; fail where one is none. */
static bool clip_scores(float *scores, size_t count, const char *usual, struct failure *failure)
{
    const float least = -0.01f, most = 1.01f; /* rounding, and a quantization range beside 0..1 */
    for (size_t index = 0; index < count; index++) {
        float score = scores[index];
        if (score < least || score > most)
            return fail_as(failure, "model.output",
                           "the network's output holds %g, which is no score: expected values from 0 to 1, as the "
                           "manifest's activation is \"none\"; if these are logits, say \"%s\" there and pack the "
                           "model again", (double)score, usual);
        scores[index] = score < 0 ? 0 : score > 1 ? 1 : score;
    }
    return true;
}

/* Put scores s_i = exp(z_i) / sum_j exp(z_j) into `scores`. */
static void softmax(const float *logits, size_t count, double *scores)
{
    float highest = logits[0];
    for (size_t index = 1; index < count; index++)
        highest = logits[index] > highest ? logits[index] : highest;
    double sum = 0;
    for (size_t index = 0; index < count; index++)
        sum += scores[index] = exp((double)logits[index] - (double)highest);
    for (size_t index = 0; index < count; index++)
        scores[index] /= sum;
}

/* The scores of the network's outputs, the highest first; equal ones in the order of the labels. */
static void classify(const struct engine *engine, const float *outputs, struct answer *answer)
{
    const struct manifest *manifest = &engine->model.manifest;
    const struct decision *rule = &manifest->decision;
    size_t count = manifest->label_count;
    struct result *results = answer->results = need(count * sizeof *results);
    double *scores = need(count * sizeof *scores);
    if (!manifest->are_scores)
        softmax(outputs, count, scores);
    for (size_t index = 0; index < count; index++) {
        struct result result = {manifest->labels[index], manifest->are_scores ? (double)outputs[index] : scores[index]};
        size_t place = index;
        for (; place > 0 && results[place - 1].score < result.score; place--)
            results[place] = results[place - 1];
        results[place] = result;
    }
    free(scores);
    const char *decision = results[0].label;
    if (rule->label) {
        size_t mine = 0;
        while (strcmp(results[mine].label, rule->label) != 0)
            mine++;
        decision = results[mine].score >= rule->threshold ? rule->label : results[mine == 0].label;
    }
    answer->decision = need_copy(decision);
}

static void draw_outline(const struct engine *engine, const float *logits, const struct image *image,
                         struct answer *answer)
{
    const struct manifest *manifest = &engine->model.manifest;
    const int32_t *shape = engine->runtime.output.shape;
    segment(&answer->outline, logits, shape[1], shape[2], image->width, image->height, &manifest->decision,
            &manifest->input, manifest->are_scores);
    struct text decision = {0};
    text_print(&decision, "%s%s", answer->outline.region_count ? "" : "no ", manifest->decision.label);
    answer->decision = decision.at;
}

/* Invoke the network `warmup` times uncounted, then `repeat` times; the very first invoke of all is never counted. */
static bool invoke_often(struct engine *engine, long warmup, long repeat, struct answer *answer, struct failure *failure)
{
    double *times = answer->warm_ms = need((size_t)repeat * sizeof *times);
    bool done = true;
    for (long turn = -warmup; done && turn < repeat; turn++) {
        bool first = isnan(engine->first_invoke_ms);
        double begun = now_ms();
        done = engine_invoke(engine, failure);
        if (turn >= 0 && !first)
            times[answer->warm_count++] = now_ms() - begun;
    }
    answer->ms[INVOKE] = answer->warm_count ? percentile(times, answer->warm_count, 0.5) : engine->first_invoke_ms;
    return done;
}

bool engine_answer(struct engine *engine, const struct bytes *data, const char *name, long warmup, long repeat,
                   uint64_t max_pixels, struct answer *answer, struct failure *failure)
{
    *answer = (struct answer){0};
    const struct manifest *manifest = &engine->model.manifest;
    struct image image;
    double before = now_ms();
    if (!image_decode(&image, data, name, &manifest->input, false, max_pixels, failure))
        return false;
    answer->ms[DECODE] = now_ms() - before;
    answer->warnings = image.warnings;
    image.warnings.count = 0;
    long long columns = (long long)manifest->input.width, limit = (long long)(max_pixels > MAX_PIXELS ? max_pixels : MAX_PIXELS);
    if (image.rows > limit / columns) { /* rows are resampled first */
        fail_as(failure, "image.too-large",
                "%s has %lld rows, too many for a network that reads %lld columns: expected at most %lld; make it smaller",
                name, (long long)image.rows, columns, limit / columns);
        image_free(&image);
        answer_free(answer);
        return false;
    }
    before = now_ms();
    bool done = engine_fill(engine, &image, &answer->warnings, failure);
    answer->ms[PREPROCESS] = now_ms() - before;
    image_free(&image);
    done = done && invoke_often(engine, warmup, repeat, answer, failure);
    before = now_ms();
    float *logits = need(output_count(engine) * sizeof *logits);
    for (size_t index = 0; done && index < output_count(engine); index++) {
        logits[index] = dequantize(engine, engine->output, index);
        if (!isfinite(logits[index]))
            done = fail_as(failure, "model.output",
                           "the network's output holds values that are no finite numbers: expected logits or scores; "
                           "convert the network again with edge-compress");
    }
    if (done && manifest->are_scores)
        done = clip_scores(logits, output_count(engine), manifest->is_segmentation ? "sigmoid" : "softmax", failure);
    if (done && manifest->is_segmentation)
        draw_outline(engine, logits, &image, answer);
    else if (done)
        classify(engine, logits, answer);
    free(logits);
    answer->ms[POSTPROCESS] = now_ms() - before;
    for (int phase = 0; phase < TOTAL; phase++)
        answer->ms[TOTAL] += answer->ms[phase];
    if (!done)
        answer_free(answer);
    return done;
}

void answer_free(struct answer *answer)
{
    warnings_free(&answer->warnings);
    free(answer->results);
    free(answer->decision);
    free(answer->warm_ms);
    outline_free(&answer->outline);
    *answer = (struct answer){0};
}
