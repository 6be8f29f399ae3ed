#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "memory.h"
#include "meter.h"

static const char *const PHASE_NAMES[] = {"read", "decode", "preprocess", "invoke", "postprocess", "total"};

static void add_how(size_t warm, bool first, struct text *text)
{
    if (!warm)
        text_word(text, "the first");
    else if (warm == 1)
        text_word(text, first ? "one after the first" : "one");
    else
        text_print(text, "median of %zu%s", warm, first ? " after the first" : "");
}

void report_answer(const char *image, const struct engine *engine, const struct answer *answer, bool first, bool colour,
                   struct text *text)
{
    const struct manifest *manifest = &engine->model.manifest;
    struct text title = {0};
    text_one_line(&title, image);
    text_paint(text, title.at, BOLD, colour);
    text_free(&title);
    text_word(text, "\n");
    manifest->task->lines(manifest, &answer->outcome, colour, text);
    text_word(text, "  cost: ");
    for (int phase = 0; phase < PHASES; phase++)
        text_print(text, "%s%s %.2f", phase ? ", " : "", PHASE_NAMES[phase], answer->ms[phase]);
    text_word(text, " ms (invoke: ");
    add_how(answer->warm_count, first, text);
    text_word(text, ")\n");
    if (answer->warm_count > 1)
        text_print(text, "  warm invokes: least %.2f, p50 %.2f, p90 %.2f, p99 %.2f, most %.2f ms\n",
                   percentile(answer->warm_ms, answer->warm_count, 0), percentile(answer->warm_ms, answer->warm_count, 0.5),
                   percentile(answer->warm_ms, answer->warm_count, 0.9),
                   percentile(answer->warm_ms, answer->warm_count, 0.99), percentile(answer->warm_ms, answer->warm_count, 1));
}

void report_short(const char *image, const struct answer *answer, struct text *text)
{
    text_one_line(text, image);
    text_print(text, ": %s\n", answer->outcome.decision);
}

static void add_size(double megabytes, struct text *text)
{
    if (isnan(megabytes))
        text_word(text, "not known");
    else
        text_print(text, "%.1f MB", megabytes);
}

static void add_met(bool is_met, bool colour, struct text *text)
{
    text_paint(text, is_met ? "met" : "missed", is_met ? GREEN : RED, colour);
}

/* "targets: 5 met, 1 missed (speedup)" */
static void add_target_line(const struct engine *engine, const struct here *here, bool colour, struct text *text)
{
    enum { MET, MISSED, NOT_MEASURED, STATES };
    const struct manifest *manifest = &engine->model.manifest;
    const char *between = "targets: ";
    for (int state = 0; state < STATES; state++) {
        struct text names = {0};
        size_t count = 0;
        for (size_t index = 0; index < manifest->target_count; index++) {
            const struct target *target = &manifest->targets[index];
            struct number room;
            const struct number *measured = target_measured(manifest, target, here, &room);
            int own = !measured ? NOT_MEASURED : target_is_met(target, measured) ? MET : MISSED;
            if (own == state)
                text_print(&names, "%s%s", count++ ? ", " : "", target->name);
        }
        if (!count)
            continue;
        text_print(text, "%s%zu ", between, count);
        if (state == NOT_MEASURED)
            text_word(text, "not measured");
        else
            add_met(state == MET, colour, text);
        if (state != MET)
            text_print(text, " (%s)", names.at);
        text_free(&names);
        between = ", ";
    }
    for (size_t index = 0; index < manifest->target_count; index++)
        if (target_has_basis(&manifest->targets[index]))
            text_print(text, "; %s judged on the %s", manifest->targets[index].name,
                       target_basis(&manifest->targets[index], here));
    text_word(text, "\n");
}

static void add_target_table(const struct engine *engine, const struct here *here, bool colour, struct text *text)
{
    const struct manifest *manifest = &engine->model.manifest;
    size_t count = manifest->target_count, widths[3] = {0};
    struct text(*cells)[3] = need(count * sizeof *cells);
    text_print(text, "targets of %s:\n", manifest->name);
    for (int turn = 0; turn < 2; turn++) /* first the widths, then the lines */
        for (size_t index = 0; index < count; index++) {
            const struct target *target = &manifest->targets[index];
            struct number room;
            const struct number *measured = target_measured(manifest, target, here, &room);
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
                add_met(target_is_met(target, measured), colour, text);
            if (target_has_basis(target))
                text_print(text, ", on the %s", target_basis(target, here));
            text_word(text, "\n");
            for (int cell = 0; cell < 3; cell++)
                text_free(&cells[index][cell]);
        }
    free(cells);
}

void report_summary(const struct engine *engine, const struct here *here, const struct board *board, bool as_table,
                    bool colour, struct text *text)
{
    text_print(text, "first run: load %.2f, first invoke %.2f ms\nmemory: peak RSS ", engine->load_ms,
               engine->first_invoke_ms);
    add_size(here->peak_mb, text);
    text_word(text, " (model: ");
    add_size(engine->model_mb, text);
    text_print(text, ")\nruntime: litert %s, %d thread%s, delegate %s\nboard: ", engine->runtime.version,
               engine->runtime.threads, engine->runtime.threads > 1 ? "s" : "", engine->runtime.delegate);
    board_line(board, text);
    text_word(text, "\n");
    if (engine->model.manifest.target_count)
        (as_table ? add_target_table : add_target_line)(engine, here, colour, text);
    text_word(text, NOTICE "\n");
}

static void add_measured(const struct number *number, struct text *text)
{
    if (number)
        text_number(text, number->value);
    else
        text_word(text, "-");
}

void report_models(const struct model *models, size_t count, struct text *text)
{
    enum { COLUMNS = 6 };
    static const char *const head[COLUMNS] = {"name", "task", "parameters", "macs", "bytes", "title"};
    struct text(*rows)[COLUMNS] = need((count + 1) * sizeof *rows);
    size_t widths[COLUMNS] = {0};
    for (size_t row = 0; row <= count; row++) {
        struct text *cells = rows[row];
        for (int column = 0; row == 0 && column < COLUMNS; column++)
            text_word(&cells[column], head[column]);
        if (row) {
            const struct manifest *manifest = &models[row - 1].manifest;
            text_word(&cells[0], manifest->name);
            text_word(&cells[1], manifest->task->name);
            add_measured(manifest_measured(manifest, "parameters"), &cells[2]);
            add_measured(manifest_measured(manifest, "macs"), &cells[3]);
            text_number(&cells[4], (double)models[row - 1].data.count);
            text_word(&cells[5], manifest->title);
        }
        for (int column = 0; column < COLUMNS; column++) {
            size_t letters = count_letters(cells[column].at);
            widths[column] = letters > widths[column] ? letters : widths[column];
        }
    }
    for (size_t row = 0; row <= count; row++) {
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
