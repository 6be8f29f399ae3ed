#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define BOLD "1"
#define GREEN "32"
#define RED "31"

enum { SHOWN = 10 }; /* regions that people are told of one by one */

static const char *const PHASE_NAMES[] = {"read", "decode", "preprocess", "invoke", "postprocess", "total"};

void report_paint(const char *words, const char *code, bool colour, struct text *text)
{
    if (colour)
        text_print(text, "\x1b[%sm%s\x1b[0m", code, words);
    else
        text_word(text, words);
}

static void add_rounded(double value, struct text *text)
{
    if (isnan(value))
        text_word(text, "null");
    else
        text_rounded(text, value, 3);
}

static double share(const struct outline *outline, int64_t pixels)
{
    return (double)pixels / (double)(outline->width * outline->height);
}

static void add_percent(double value, struct text *text)
{
    text_print(text, "%.3g %%", 100 * value);
}

/* What stands beside a target: this device's measurement, else the host's. NULL: nothing was measured. */
static const struct number *measured_for(const struct manifest *manifest, const struct target *target, double latency,
                                         double peak, struct number *here)
{
    bool is_latency = strcmp(target->name, "latency_ms") == 0;
    if (!is_latency && strcmp(target->name, "memory_mb") != 0)
        return manifest_measured(manifest, target->name);
    *here = (struct number){.value = is_latency ? latency : peak};
    return isnan(here->value) ? NULL : here;
}

static bool is_met(const struct target *target, const struct number *measured)
{
    return target->lower_is_better ? measured->value <= target->target.value : measured->value >= target->target.value;
}

static void add_results(const struct engine *engine, const struct answer *answer, struct text *text)
{
    const struct manifest *manifest = &engine->model.manifest;
    for (size_t index = 0; !manifest->is_segmentation && index < manifest->label_count; index++) {
        text_word(text, index ? ", {\"label\": " : "{\"label\": ");
        text_json(text, answer->results[index].label);
        text_word(text, ", \"score\": ");
        text_float(text, answer->results[index].score);
        text_word(text, "}");
    }
    for (size_t index = 0; index < answer->outline.region_count; index++) {
        const struct region *region = &answer->outline.regions[index];
        text_word(text, index ? ", {\"label\": " : "{\"label\": ");
        text_json(text, manifest->decision.label);
        text_word(text, ", \"score\": ");
        text_float(text, region->score);
        text_word(text, ", \"area\": ");
        text_float(text, share(&answer->outline, region->pixels));
        text_print(text, ", \"pixels\": %lld, \"box\": [%lld, %lld, %lld, %lld]}", (long long)region->pixels,
                   (long long)region->box[0], (long long)region->box[1], (long long)region->box[2],
                   (long long)region->box[3]);
    }
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

static void add_targets(const struct engine *engine, double latency, double peak, struct text *text)
{
    const struct manifest *manifest = &engine->model.manifest;
    for (size_t index = 0; index < manifest->target_count; index++) {
        const struct target *target = &manifest->targets[index];
        struct number here;
        const struct number *measured = measured_for(manifest, target, latency, peak, &here);
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
        text_print(text, ", \"met\": %s}", !measured ? "null" : is_met(target, measured) ? "true" : "false");
    }
}

void report_json(const char *image, const struct engine *engine, const struct answer *answer, double peak,
                 const struct board *board, struct text *text)
{
    const struct manifest *manifest = &engine->model.manifest;
    text_word(text, "{\"image\": ");
    text_json(text, image);
    text_print(text, ", \"model\": \"%s\", \"task\": \"%s\", \"results\": [", manifest->name,
               manifest->is_segmentation ? "segmentation" : "classification");
    add_results(engine, answer, text);
    text_word(text, "], \"decision\": ");
    text_json(text, answer->decision);
    if (manifest->is_segmentation)
        add_mask(&answer->outline, text);
    text_word(text, ", \"latency_ms\": {\"load\": ");
    add_rounded(engine->load_ms, text);
    text_word(text, ", \"first_invoke\": ");
    add_rounded(engine->first_invoke_ms, text);
    for (int phase = 0; phase < PHASES; phase++) {
        text_print(text, ", \"%s\": ", PHASE_NAMES[phase]);
        add_rounded(answer->ms[phase], text);
    }
    text_word(text, "}, \"memory_mb\": {\"peak\": ");
    add_rounded(peak, text);
    text_word(text, ", \"model\": ");
    add_rounded(engine->model_mb, text);
    text_word(text, "}, \"targets\": [");
    add_targets(engine, answer->ms[INVOKE], peak, text);
    text_print(text, "], \"runtime\": {\"name\": \"litert\", \"version\": \"%s\", \"threads\": %d, \"delegate\": \"%s\"}",
               engine->runtime.version, engine->runtime.threads, engine->runtime.delegate);
    text_word(text, ", \"board\": ");
    board_json(board, text);
    text_word(text, "}\n");
}

static void add_extent(const struct outline *outline, struct text *text)
{
    if (!outline->region_count) {
        text_word(text, "nothing found");
        return;
    }
    text_print(text, "%zu region%s, ", outline->region_count, outline->region_count > 1 ? "s" : "");
    add_percent(outline_area(outline), text);
    text_word(text, " of the picture");
}

void report_caption(const struct answer *answer, struct text *text)
{
    text_word(text, answer->decision);
    if (answer->outline.region_count) {
        text_word(text, ": ");
        add_extent(&answer->outline, text);
    } else {
        text_word(text, " found");
    }
}

static void add_regions(const struct engine *engine, const struct outline *outline, struct text *text)
{
    int64_t smaller = 0;
    double together = 0;
    for (size_t index = 0; index < outline->region_count; index++) {
        const struct region *region = &outline->regions[index];
        if (index >= SHOWN) {
            smaller++;
            together += share(outline, region->pixels);
            continue;
        }
        struct text percent = {0};
        add_percent(share(outline, region->pixels), &percent);
        text_print(text, "  %2zu  %s  %.4f  %6s of the picture, %lld x %lld pixels at %lld, %lld\n", index + 1,
                   engine->model.manifest.decision.label, region->score, percent.at, (long long)region->box[2],
                   (long long)region->box[3], (long long)region->box[0], (long long)region->box[1]);
        text_free(&percent);
    }
    if (smaller) {
        text_print(text, "      and %lld smaller, together ", (long long)smaller);
        add_percent(together, text);
        text_word(text, "\n");
    }
}

static void add_labels(const struct manifest *manifest, const struct answer *answer, struct text *text)
{
    size_t widest = 0;
    for (size_t index = 0; index < manifest->label_count; index++) {
        size_t letters = count_letters(manifest->labels[index]);
        widest = letters > widest ? letters : widest;
    }
    for (size_t index = 0; index < manifest->label_count; index++) {
        const struct result *result = &answer->results[index];
        text_print(text, "  %s%*s  %.4f\n", result->label, (int)(widest - count_letters(result->label)), "",
                   result->score);
    }
}

static void add_rule(const struct manifest *manifest, const struct answer *answer, struct text *text)
{
    const struct decision *rule = &manifest->decision;
    if (manifest->is_segmentation) {
        add_extent(&answer->outline, text);
        text_print(text, "; pixels count from the score %g on", rule->threshold);
        if (rule->minimum_area != 0) {
            text_word(text, ", regions from ");
            add_percent(rule->minimum_area, text);
            text_word(text, " on");
        }
    } else if (!rule->label) {
        text_word(text, "the highest score");
    } else {
        size_t mine = 0;
        while (strcmp(answer->results[mine].label, rule->label) != 0)
            mine++;
        text_print(text, "%s %.4f is %s the threshold %g", rule->label, answer->results[mine].score,
                   strcmp(answer->decision, rule->label) == 0 ? "at least" : "under", rule->threshold);
    }
}

void report_answer(const char *image, const struct engine *engine, const struct answer *answer, const char *how,
                   bool colour, struct text *text)
{
    const struct manifest *manifest = &engine->model.manifest;
    struct text title = {0};
    text_one_line(&title, image);
    report_paint(title.at, BOLD, colour, text);
    text_free(&title);
    text_word(text, "\n");
    if (manifest->is_segmentation)
        add_regions(engine, &answer->outline, text);
    else
        add_labels(manifest, answer, text);
    text_word(text, "  decision: ");
    report_paint(answer->decision, BOLD, colour, text);
    text_word(text, " (");
    add_rule(manifest, answer, text);
    text_word(text, ")\n  cost: ");
    for (int phase = 0; phase < PHASES; phase++)
        text_print(text, "%s%s %.2f", phase ? ", " : "", PHASE_NAMES[phase], answer->ms[phase]);
    text_print(text, " ms (invoke: %s)\n", how);
}

static void add_size(double megabytes, struct text *text)
{
    if (isnan(megabytes))
        text_word(text, "not known");
    else
        text_print(text, "%.1f MB", megabytes);
}

static void add_target_lines(const struct engine *engine, double latency, double peak, bool colour, struct text *text)
{
    const struct manifest *manifest = &engine->model.manifest;
    size_t count = manifest->target_count, widths[3] = {0};
    struct text(*cells)[3] = need(count * sizeof *cells);
    text_print(text, "targets of %s:\n", manifest->name);
    for (int turn = 0; turn < 2; turn++) /* first the widths, then the lines */
        for (size_t index = 0; index < count; index++) {
            const struct target *target = &manifest->targets[index];
            struct number here;
            const struct number *measured = measured_for(manifest, target, latency, peak, &here);
            if (turn == 0) {
                text_word(&cells[index][0], target->name);
                text_word(&cells[index][1], target->lower_is_better ? "<= " : ">= ");
                text_number(&cells[index][1], target->target.value);
                if (measured)
                    text_number(&cells[index][2], measured->value);
                else
                    text_word(&cells[index][2], "-");
                for (int cell = 0; cell < 3; cell++) {
                    size_t letters = count_letters(cells[index][cell].at);
                    widths[cell] = letters > widths[cell] ? letters : widths[cell];
                }
                continue;
            }
            text_print(text, "  %s%*s  %*s  measured %*s  ", target->name,
                       (int)(widths[0] - count_letters(target->name)), "", (int)widths[1], cells[index][1].at,
                       (int)widths[2], cells[index][2].at);
            if (!measured)
                text_word(text, "not measured");
            else
                report_paint(is_met(target, measured) ? "met" : "missed", is_met(target, measured) ? GREEN : RED, colour,
                             text);
            text_word(text, "\n");
            for (int cell = 0; cell < 3; cell++)
                text_free(&cells[index][cell]);
        }
    free(cells);
}

void report_summary(const struct engine *engine, double peak, double latency, const struct board *board, bool colour,
                    struct text *text)
{
    text_print(text, "first run: load %.2f, first invoke %.2f ms\nmemory: peak ", engine->load_ms,
               engine->first_invoke_ms);
    add_size(peak, text);
    text_word(text, ", of it the model ");
    add_size(engine->model_mb, text);
    text_print(text, "\nruntime: litert %s, %d thread%s, delegate %s\nboard: ", engine->runtime.version,
               engine->runtime.threads, engine->runtime.threads > 1 ? "s" : "", engine->runtime.delegate);
    board_line(board, text);
    text_word(text, "\n");
    if (engine->model.manifest.target_count)
        add_target_lines(engine, latency, peak, colour, text);
    text_word(text, NOTICE "\n");
}

static void add_figure(const struct number *number, bool as_json, struct text *text)
{
    if (!number)
        text_word(text, as_json ? "null" : "-");
    else if (!as_json)
        text_number(text, number->value);
    else if (number->digits)
        text_word(text, number->digits);
    else
        text_float(text, number->value);
}

static void add_model_json(const struct model *model, struct text *text)
{
    const struct manifest *manifest = &model->manifest;
    text_print(text, "{\"name\": \"%s\", \"title\": ", manifest->name);
    text_json(text, manifest->title);
    text_print(text, ", \"task\": \"%s\", \"parameters\": ", manifest->is_segmentation ? "segmentation" : "classification");
    add_figure(manifest_measured(manifest, "parameters"), true, text);
    text_word(text, ", \"macs\": ");
    add_figure(manifest_measured(manifest, "macs"), true, text);
    text_print(text, ", \"bytes\": %zu}\n", model->data.count);
}

void report_models(const struct model *models, size_t count, bool as_json, struct text *text)
{
    enum { COLUMNS = 6 };
    static const char *const head[COLUMNS] = {"name", "task", "parameters", "macs", "bytes", "title"};
    struct text(*rows)[COLUMNS] = need((count + 1) * sizeof *rows);
    size_t widths[COLUMNS] = {0};
    for (size_t index = 0; as_json && index < count; index++)
        add_model_json(&models[index], text);
    for (size_t row = 0; !as_json && row <= count; row++) {
        struct text *cells = rows[row];
        for (int column = 0; row == 0 && column < COLUMNS; column++)
            text_word(&cells[column], head[column]);
        if (row) {
            const struct manifest *manifest = &models[row - 1].manifest;
            text_word(&cells[0], manifest->name);
            text_word(&cells[1], manifest->is_segmentation ? "segmentation" : "classification");
            add_figure(manifest_measured(manifest, "parameters"), false, &cells[2]);
            add_figure(manifest_measured(manifest, "macs"), false, &cells[3]);
            text_number(&cells[4], (double)models[row - 1].data.count);
            text_word(&cells[5], manifest->title);
        }
        for (int column = 0; column < COLUMNS; column++) {
            size_t letters = count_letters(cells[column].at);
            widths[column] = letters > widths[column] ? letters : widths[column];
        }
    }
    for (size_t row = 0; !as_json && row <= count; row++) {
        struct text line = {0};
        for (int column = 0; column < COLUMNS; column++) {
            const char *cell = rows[row][column].at;
            int space = (int)(widths[column] - count_letters(cell));
            bool is_left = column < 2 || column == 5;
            text_print(&line, "%s%*s%s%*s", column ? "  " : "", is_left ? 0 : space, "", cell, is_left ? space : 0, "");
            text_free(&rows[row][column]);
        }
        while (line.length && line.at[line.length - 1] == ' ')
            line.at[--line.length] = 0;
        text_print(text, "%s\n", line.at);
        text_free(&line);
    }
    free(rows);
}
