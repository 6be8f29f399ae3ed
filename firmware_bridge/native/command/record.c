#include "record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arguments.h"
#include "constants.h"
#include "memory.h"
#include "meter.h"

#define RELEASE "format: edge-infer release 1\n" /* how a release file begins, as edge-deploy writes it */

static const char *const PHASE_NAMES[] = {"read", "decode", "preprocess", "invoke", "postprocess", "total"};

static void add_rounded(double value, struct text *text)
{
    text_rounded(text, value, 3);
}

static void add_targets(const struct engine *engine, const struct here *here, struct text *text)
{
    const struct manifest *manifest = &engine->model.manifest;
    for (size_t index = 0; index < manifest->target_count; index++) {
        const struct target *target = &manifest->targets[index];
        struct number room;
        const struct number *measured = target_measured(manifest, target, here, &room);
        text_word(text, index ? ", {\"name\": " : "{\"name\": ");
        text_json(text, target->name);
        text_word(text, ", \"target\": ");
        if (target->target.digits)
            text_word(text, target->target.digits);
        else
            text_float(text, target->target.value);
        text_word(text, ", \"measured\": ");
        if (measured && measured->digits)
            text_word(text, measured->digits);
        else if (measured)
            text_rounded(text, measured->value, 6);
        else
            text_word(text, "null");
        text_print(text, ", \"met\": %s", !measured ? "null" : target_is_met(target, measured) ? "true" : "false");
        text_print(text, ", \"basis\": \"%s\"}", target_basis(target, here));
    }
}

/* The value of a line "KEY: VALUE", without spaces; the caller frees it, NULL where there is none. */
static char *line_value(const char *text, const char *key)
{
    char *line = need_print("\n%s: ", key);
    const char *at = strstr(text, line);
    size_t length = 0;
    for (at = at ? at + strlen(line) : ""; at[length] > ' ' && at[length] <= '~';)
        length++;
    free(line);
    return length && (at[length] == '\n' || !at[length]) ? need_print("%.*s", (int)length, at) : NULL;
}

/* The name of the edge-deploy release that the program lies in, or null. */
static void add_release(struct text *text)
{
    char bytes[4097], *path = installed(NULL, "release");
    FILE *file = fopen(path, "re");
    size_t count = file ? fread(bytes, 1, sizeof bytes - 1, file) : 0;
    if (file)
        fclose(file);
    free(path);
    bytes[count] = 0;
    bool is_ascii = strlen(bytes) == count;
    for (size_t index = 0; index < count; index++)
        is_ascii = is_ascii && (signed char)bytes[index] > 0;
    bool is_release = is_ascii && strncmp(bytes, RELEASE, strlen(RELEASE)) == 0;
    char *version = is_release ? line_value(bytes, "version") : NULL, *target = is_release ? line_value(bytes, "target") : NULL;
    if (version && target) {
        char *name = need_print("edge-infer-%s-%s", version, target);
        text_json(text, name);
        free(name);
    } else {
        text_word(text, "null");
    }
    free(version);
    free(target);
}

static void add_origin(const struct engine *engine, struct text *text)
{
    const struct model *model = &engine->model;
    char moment[40] = "";
    time_t now = time(NULL);
    struct tm parts;
    if (gmtime_r(&now, &parts))
        strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", &parts);
    text_print(text, ", \"model\": {\"name\": \"%s\", \"sha256\": \"%s\", \"bytes\": %zu}", model->manifest.name,
               engine->model_sha256, model->data.count);
    text_word(text, ", \"program\": {\"name\": \"edge-infer\", \"version\": \"" PROGRAM_VERSION
                    "\", \"implementation\": \"native\"}, \"release\": ");
    add_release(text);
    text_print(text, ", \"time\": \"%s\"", moment);
}

static void add_warnings(const struct warnings *warnings, struct text *text)
{
    text_word(text, ", \"warnings\": [");
    for (int index = 0; index < warnings->count; index++) {
        text_print(text, "%s{\"code\": \"%s\", \"message\": ", index ? ", " : "", warnings->at[index].code);
        text_json(text, warnings->at[index].message);
        text_word(text, "}");
    }
    text_word(text, "]");
}

static void add_times(const struct engine *engine, const struct answer *answer, struct text *text)
{
    static const struct {
        const char *name;
        double share;
    } spread[] = {{"least", 0}, {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"most", 1}};
    text_word(text, ", \"latency_ms\": {\"load\": ");
    add_rounded(engine->load_ms, text);
    text_word(text, ", \"first_invoke\": ");
    add_rounded(engine->first_invoke_ms, text);
    for (int phase = 0; phase < PHASES; phase++) {
        text_print(text, ", \"%s\": ", PHASE_NAMES[phase]);
        add_rounded(answer->ms[phase], text);
    }
    text_word(text, "}, \"warm_invoke_ms\": ");
    if (!answer->warm_count) {
        text_word(text, "null");
        return;
    }
    text_print(text, "{\"count\": %zu", answer->warm_count);
    for (size_t index = 0; index < sizeof spread / sizeof *spread; index++) {
        text_print(text, ", \"%s\": ", spread[index].name);
        add_rounded(percentile(answer->warm_ms, answer->warm_count, spread[index].share), text);
    }
    text_word(text, "}");
}

void record_answer(const char *image, const struct engine *engine, const struct answer *answer, const struct here *here,
                   const struct board *board, struct text *text)
{
    const struct manifest *manifest = &engine->model.manifest;
    text_word(text, "{\"image\": ");
    text_json(text, image);
    add_origin(engine, text);
    text_print(text, ", \"task\": \"%s\", ", manifest->task->name);
    manifest->task->record(manifest, &answer->outcome, text);
    add_warnings(&answer->warnings, text);
    add_times(engine, answer, text);
    text_word(text, ", \"memory_mb\": {\"peak\": ");
    add_rounded(here->peak_mb, text);
    text_word(text, ", \"model\": ");
    add_rounded(engine->model_mb, text);
    text_word(text, "}, \"targets\": [");
    add_targets(engine, here, text);
    text_print(text, "], \"runtime\": {\"name\": \"litert\", \"version\": \"%s\", \"threads\": %d, \"delegate\": \"%s\"}",
               engine->runtime.version, engine->runtime.threads, engine->runtime.delegate);
    text_word(text, ", \"board\": ");
    board_json(board, text);
    text_word(text, "}\n");
}

void record_error(const char *image, const struct failure *failure, struct text *text)
{
    text_word(text, "{");
    if (image) {
        text_word(text, "\"image\": ");
        text_json(text, image);
        text_word(text, ", ");
    }
    text_print(text, "\"error\": {\"code\": \"%s\", \"message\": ", failure->code);
    text_json(text, failure->text);
    text_word(text, "}}\n");
}

static void add_measured(const struct number *number, struct text *text)
{
    if (!number)
        text_word(text, "null");
    else if (number->digits)
        text_word(text, number->digits);
    else
        text_float(text, number->value);
}

void record_model(const struct model *model, struct text *text)
{
    const struct manifest *manifest = &model->manifest;
    text_print(text, "{\"name\": \"%s\", \"title\": ", manifest->name);
    text_json(text, manifest->title);
    text_print(text, ", \"task\": \"%s\", \"parameters\": ", manifest->task->name);
    add_measured(manifest_measured(manifest, "parameters"), text);
    text_word(text, ", \"macs\": ");
    add_measured(manifest_measured(manifest, "macs"), text);
    text_print(text, ", \"bytes\": %zu}\n", model->data.count);
}
