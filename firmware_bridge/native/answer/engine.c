#include "engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "memory.h"
#include "meter.h"
#include "plausibility.h"
#include "shortage.h"
#include "text.h"

/* Whether a tensor has the manifest's type, and an int8 one a quantization. */
static bool check_type(const struct engine *engine, const char *name, const struct tensor *tensor,
                       struct failure *failure)
{
    bool is_int8 = engine->model.manifest.is_int8;
    const char *type = is_int8 ? "int8" : "float32";
    size_t size = is_int8 ? 1 : 4;
    for (int index = 0; index < tensor->rank; index++)
        size *= (size_t)tensor->shape[index];
    if (strcmp(tensor->type, type) != 0 || tensor->bytes != size) {
        struct text shape = {0};
        tensor_shape(tensor, &shape);
        fail_as(failure, "model.tensors",
                "%s has a network whose %s is %s, and a manifest that says %s: correct the manifest and build the model "
                "file again with edge-compress", engine->model.path, name, shape.at, type);
        text_free(&shape);
        return false;
    }
    return !is_int8 || (tensor->scale > 0 && isfinite(tensor->scale)) ||
           fail_as(failure, "model.tensors",
                   "%s has a network whose int8 %s has no quantization (scale %g): convert the network again with "
                   "edge-compress", engine->model.path, name, tensor->scale);
}

static bool check_input(const struct engine *engine, struct failure *failure)
{
    const struct preprocessing *spec = &engine->model.manifest.inputs[0];
    const struct tensor *input = &engine->runtime.inputs[0];
    int64_t shape[4] = {1, spec->height, spec->width, spec->channels};
    if (is_shape(input, 4, shape))
        return true;
    struct text given = {0};
    tensor_shape(input, &given);
    fail_as(failure, "model.tensors",
            "%s has a network whose input is %s, and a manifest that says (1, %lld, %lld, %d): correct the manifest and "
            "build the model file again with edge-compress", engine->model.path, given.at, (long long)spec->height,
            (long long)spec->width, spec->channels);
    text_free(&given);
    return false;
}

/* Whether the network's tensors are what the manifest says. */
static bool check_tensors(const struct engine *engine, struct failure *failure)
{
    const struct runtime *runtime = &engine->runtime;
    bool fine = check_type(engine, "input", &runtime->inputs[0], failure) && check_input(engine, failure);
    for (size_t index = 0; fine && index < runtime->output_count; index++)
        fine = check_type(engine, "output", &runtime->outputs[index], failure);
    return fine && engine->model.manifest.task->check(&engine->model.manifest, runtime->outputs, engine->model.path,
                                                      failure);
}

/* Whether the network has as many inputs and outputs as the manifest says, and takes one image. */
static bool check_ends(const struct engine *engine, const struct network *network, struct failure *failure)
{
    const struct manifest *manifest = &engine->model.manifest;
    if (manifest->input_count != network->input_count || manifest->output_count != network->output_count)
        return fail_as(failure, "model.tensors",
                       "%s has a network of %zu inputs and %zu outputs, and a manifest that says %zu and %zu: correct the "
                       "manifest and build the model file again with edge-compress", engine->model.path,
                       network->input_count, network->output_count, manifest->input_count, manifest->output_count);
    return manifest->input_count == 1 ||
           fail_as(failure, "model.tensors",
                   "%s has a network of %zu inputs: expected one, as edge-infer gives it one image; convert a network of "
                   "one input", engine->model.path, manifest->input_count);
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
    struct network network;
    bool loaded = engine->library && model_read(&engine->model, path, failure) &&
                  model_network(&engine->model, &network, failure) && check_ends(engine, &network, failure) &&
                  check_threads(threads, engine->model.data.count, failure) &&
                  runtime_open(&engine->runtime, engine->library, &engine->model.data, &network, threads, once, failure) &&
                  check_tensors(engine, failure);
    free(path);
    if (!loaded) {
        explain_shortage(failure);
        return false;
    }
    memcpy(engine->model_sha256, engine->model.data.at + engine->model.data.count - 64, 64);
    model_rest(&engine->model); /* LiteRT has packed the weights its own way */
    const struct preprocessing *spec = &engine->model.manifest.inputs[0];
    const struct tensor *input = &engine->runtime.inputs[0];
    if (engine->model.manifest.is_int8)
        int8_table(spec, input->scale, input->zero_point, engine->int8s);
    else
        float_table(spec, engine->floats);
    engine->inputs[0] = need(input->bytes);
    for (size_t index = 0; index < engine->runtime.output_count; index++)
        engine->outputs[index] = need(engine->runtime.outputs[index].bytes);
    engine->load_ms = now_ms() - begun;
    engine->load_mb = growth_mb(before);
    return true;
}

void engine_close(struct engine *engine)
{
    runtime_close(&engine->runtime);
    library_close(engine->library);
    model_close(&engine->model);
    for (size_t index = 0; index < MAX_ENTRIES; index++) {
        free(engine->inputs[index]);
        free(engine->outputs[index]);
    }
}

bool engine_fill(struct engine *engine, struct image *image, struct warnings *warnings, struct failure *failure)
{
    const struct manifest *manifest = &engine->model.manifest;
    unsigned char *pixels = preprocess_pixels(image, &manifest->inputs[0]);
    if (!pixels)
        return fail_as(failure, "image.memory", "the memory is full: use smaller images or a smaller model");
    doubt_uniform(pixels, image->channels, image->width, image->height, &manifest->inputs[0], warnings);
    look_up(pixels, image->channels, &manifest->inputs[0], manifest->is_int8 ? NULL : engine->floats,
            manifest->is_int8 ? engine->int8s : NULL, engine->inputs[0]);
    free(pixels);
    return true;
}

bool engine_invoke(struct engine *engine, struct failure *failure)
{
    if (!isnan(engine->first_invoke_ms))
        return runtime_run(&engine->runtime, engine->inputs, engine->outputs, failure);
    double before = now_mb(), begun = now_ms();
    bool done = runtime_run(&engine->runtime, engine->inputs, engine->outputs, failure);
    engine->first_invoke_ms = now_ms() - begun;
    engine->model_mb = engine->load_mb + growth_mb(before);
    return done;
}

struct values dequantized(const struct engine *engine, size_t output, const void *raw)
{
    const struct tensor *tensor = &engine->runtime.outputs[output];
    bool is_int8 = engine->model.manifest.is_int8;
    struct values values = {.tensor = tensor, .count = tensor->bytes / (is_int8 ? 1 : 4)};
    values.at = need(values.count * sizeof *values.at);
    if (!is_int8) {
        memcpy(values.at, raw, values.count * sizeof *values.at);
        return values;
    }
    const int8_t *steps = raw;
    for (size_t index = 0; index < values.count; index++)
        values.at[index] = ((float)steps[index] - (float)tensor->zero_point) * (float)tensor->scale;
    return values;
}

static bool are_finite(const struct values *values)
{
    bool finite = true;
    for (size_t index = 0; finite && index < values->count; index++)
        finite = isfinite(values->at[index]);
    return finite;
}

/* Let the task answer what the outputs say. */
static bool postprocess(const struct engine *engine, struct answer *answer, struct failure *failure)
{
    struct values outputs[MAX_ENTRIES];
    size_t count = engine->runtime.output_count;
    bool finite = true;
    for (size_t index = 0; index < count; index++) {
        outputs[index] = dequantized(engine, index, engine->outputs[index]);
        finite = finite && are_finite(&outputs[index]);
    }
    bool done = finite ? engine->model.manifest.task->answer(&engine->model.manifest, outputs, &answer->outcome, failure)
                       : fail_as(failure, "model.output",
                                 "the network's output has values that are NaN or infinite: expected logits or scores; "
                                 "convert the network again with edge-compress");
    while (count)
        free(outputs[--count].at);
    return done;
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
    const struct preprocessing *spec = &engine->model.manifest.inputs[0];
    struct image image;
    double before = now_ms();
    if (!image_decode(&image, data, name, spec, false, max_pixels, failure))
        return false;
    answer->ms[DECODE] = now_ms() - before;
    answer->warnings = image.warnings;
    image.warnings.count = 0;
    answer->outcome.width = image.width;
    answer->outcome.height = image.height;
    long long columns = (long long)spec->width, limit = (long long)(max_pixels > MAX_PIXELS ? max_pixels : MAX_PIXELS);
    bool done = image.rows <= limit / columns || /* rows are resampled first */
                fail_as(failure, "image.too-large",
                        "%s has %lld rows, too many for a network that reads %lld columns: expected at most %lld; make it "
                        "smaller", name, (long long)image.rows, columns, limit / columns);
    before = now_ms();
    done = done && engine_fill(engine, &image, &answer->warnings, failure);
    answer->ms[PREPROCESS] = now_ms() - before;
    image_free(&image);
    done = done && invoke_often(engine, warmup, repeat, answer, failure);
    before = now_ms();
    done = done && postprocess(engine, answer, failure);
    answer->ms[POSTPROCESS] = now_ms() - before;
    for (int phase = 0; phase < TOTAL; phase++)
        answer->ms[TOTAL] += answer->ms[phase];
    if (!done)
        answer_free(engine, answer);
    return done;
}

void answer_free(const struct engine *engine, struct answer *answer)
{
    warnings_free(&answer->warnings);
    free(answer->outcome.decision);
    free(answer->warm_ms);
    engine->model.manifest.task->free_result(answer->outcome.result);
    *answer = (struct answer){0};
}
