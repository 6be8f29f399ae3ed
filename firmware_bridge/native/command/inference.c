/* Images in, answers and their cost out: edge/inference.py. */
#include "inference.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "ending.h"
#include "file.h"
#include "memory.h"
#include "meter.h"
#include "record.h"
#include "report.h"
#include "results.h"
#include "sources.h"
#include "terminal.h"

/* The images of one command. */
struct run {
    struct engine *engine;
    const struct arguments *arguments;
    struct jobs jobs;
    struct results results;
    bool keeps; /* writes results into their folder */
    double *warm_ms; /* of all counted invokes */
    size_t warm_count, answered;
    int status;
};

static bool is_stdin(const char *image)
{
    return strcmp(image, "-") == 0;
}

bool load(struct engine *engine, const struct arguments *arguments, bool once, struct failure *failure)
{
    int cores = usable_cores(""), threads = cores < USUAL_THREADS ? cores : USUAL_THREADS;
    if (arguments->threads)
        threads = (int)arguments->threads;
    return engine_load(engine, arguments->model, arguments->runtime, threads, once, failure);
}

/* Whether what is drawn would not lie among the images that a folder or pattern found, and be found the next time. */
static bool keeps_apart(const struct run *run, struct failure *failure)
{
    char target[PATH_MAX], source[PATH_MAX];
    for (size_t index = 0; index < run->jobs.count; index++) {
        const struct job *job = &run->jobs.at[index];
        if (job->root < 0)
            continue;
        char *name = result_name(job), *slash = strrchr(name, '/');
        *(slash ? slash : name) = 0;
        char *folder = need_print("%s/%s", run->results.folder, name);
        bool is_there = realpath(folder, target), is_same = false;
        for (size_t other = 0; is_there && !is_same && other < run->jobs.count; other++) {
            const struct job *image = &run->jobs.at[other];
            const char *end = strrchr(image->image, '/');
            if (image->word != job->word || image->root < 0)
                continue;
            char *beside = end ? need_print("%.*s", end == image->image ? 1 : (int)(end - image->image), image->image)
                               : need_copy(".");
            is_same = realpath(beside, source) && strcmp(source, target) == 0;
            free(beside);
        }
        free(folder);
        free(name);
        if (is_same)
            return fail_as(failure, "output.mixed",
                           "%s is where the images are and where results would go: give --output another folder", job->word);
    }
    return true;
}

/* Write what is to be said of an image; from here on an end at once says nothing more of it. */
static void put_of(const struct run *run, const struct job *job, struct text *text)
{
    ending_reached((size_t)(job - run->jobs.at) + 1);
    put(text);
}

/* Put the error of an image into its place, and its record on standard output. */
static void put_error(struct run *run, const struct job *job, const struct failure *failure, const struct place *place)
{
    struct text record = {0};
    struct failure another = {0};
    record_error(job->image, failure, &record);
    if (place && !results_write(&run->results, place, &record, NULL, 0, &another) &&
        strcmp(another.code, failure->code) != 0) /* else it says the same */
        complain(&another);
    forget(&another);
    if (run->arguments->json)
        put_of(run, job, &record);
    text_free(&record);
}

static void invalid(struct run *run, const struct job *job, struct failure *failure, const struct place *place)
{
    run->status = INVALID;
    complain(failure);
    put_error(run, job, failure, place);
    forget(failure);
}

static bool read_named(const char *name, struct bytes *data, double *ms, struct failure *failure)
{
    double before = now_ms();
    *ms = 0; /* not counted for what standard input waits for */
    if (!is_stdin(name)) {
        bool done = read_image(name, data, failure);
        *ms = now_ms() - before;
        return done;
    }
    if (!terminal_has_input())
        return fail_as(failure, "image.unreadable", "standard input is closed: expected an image there");
    return read_standard_input(data, failure);
}

/* The files that a task draws for --output. */
struct drawing {
    struct drawn at[MAX_DRAWN];
    size_t count;
};

static bool draw(const struct run *run, const struct bytes *data, const struct answer *answer, struct drawing *drawing,
                 struct failure *failure)
{
    const struct manifest *manifest = &run->engine->model.manifest;
    drawing->count = manifest->task->draw(manifest, &answer->outcome, data, drawing->at, failure);
    return !failure->text;
}

static void drawing_free(struct drawing *drawing)
{
    for (size_t index = 0; index < MAX_DRAWN; index++) /* those of a failure are not counted */
        text_free(&drawing->at[index].content);
}

/* Whether the answer has no warning, where --strict wants none. */
static bool is_strict(const struct run *run, const char *title, const struct warnings *warnings, struct failure *failure)
{
    if (!run->arguments->strict || !warnings->count)
        return true;
    struct text messages = {0};
    for (int index = 0; index < warnings->count; index++)
        text_print(&messages, "%s%s", index ? "; " : "", warnings->at[index].message);
    fail_as(failure, warnings->at[0].code, "%s: %s (--strict)", title, messages.at);
    text_free(&messages);
    return false;
}

/* Read and answer one image; where there is a drawing to make, also draw. The caller frees what is in `answer` where this
   succeeds. */
static bool ask(struct run *run, const char *image, struct drawing *drawing, struct answer *answer,
                struct failure *failure)
{
    const struct arguments *arguments = run->arguments;
    const char *title = is_stdin(image) ? "the image on standard input" : image;
    struct bytes data = {0};
    double read_ms;
    if (!read_named(image, &data, &read_ms, failure))
        return false;
    bool done = engine_answer(run->engine, &data, title, arguments->warmup, arguments->repeat, arguments->max_pixels,
                              answer, failure);
    if (done) {
        answer->ms[READ_PHASE] += read_ms;
        answer->ms[TOTAL] += read_ms;
        done = is_strict(run, title, &answer->warnings, failure) && (!drawing || draw(run, &data, answer, drawing, failure));
        if (!done)
            answer_free(run->engine, answer);
    }
    free(data.at);
    return done;
}

static void say_warnings(const char *image, const struct warnings *warnings)
{
    struct text lines = {0};
    for (int index = 0; index < warnings->count; index++) {
        text_word(&lines, "warning: ");
        text_one_line(&lines, image);
        text_word(&lines, ": ");
        text_one_line(&lines, warnings->at[index].message);
        text_word(&lines, "\n");
    }
    if (lines.length)
        say(lines.at);
    text_free(&lines);
}

static void add_record(struct run *run, const char *image, struct answer *answer, struct text *record)
{
    struct board board = board_read();
    struct here here = here_of(answer->warm_ms, answer->warm_count, run->engine->first_invoke_ms, peak_mb());
    record_answer(image, run->engine, answer, &here, &board, record);
    board_free(&board);
}

static void answer_one(struct run *run, const struct job *job, struct place *place)
{
    const struct arguments *arguments = run->arguments;
    struct failure failure = {0};
    struct answer answer;
    struct text text = {0};
    struct drawing drawing = {0};
    bool first = isnan(run->engine->first_invoke_ms), draws = place && run->engine->model.manifest.task->draw;
    if (!ask(run, job->image, draws ? &drawing : NULL, &answer, &failure)) {
        drawing_free(&drawing);
        invalid(run, job, &failure, place);
        return;
    }
    run->answered++;
    run->warm_ms = need_more(run->warm_ms, (run->warm_count + answer.warm_count) * sizeof *run->warm_ms);
    memcpy(run->warm_ms + run->warm_count, answer.warm_ms, answer.warm_count * sizeof *run->warm_ms);
    run->warm_count += answer.warm_count;
    say_warnings(job->image, &answer.warnings);
    if (arguments->json || place)
        add_record(run, job->image, &answer, &text);
    bool done = !place || results_write(&run->results, place, &text, drawing.at, drawing.count, &failure);
    drawing_free(&drawing);
    if (!done)
        invalid(run, job, &failure, place);
    if (!arguments->json) {
        text.length = 0;
        if (arguments->quiet)
            report_short(job->image, &answer, &text);
        else
            report_answer(job->image, run->engine, &answer, first, wants_colour(), &text);
    }
    if (done || !arguments->json)
        put_of(run, job, &text);
    text_free(&text);
    answer_free(run->engine, &answer);
}

static void close_run(struct run *run)
{
    struct text text = {0};
    struct board board = board_read();
    if (run->arguments->json) {
        say(NOTICE "\n");
    } else {
        struct here here = here_of(run->warm_ms, run->warm_count, run->engine->first_invoke_ms, peak_mb());
        report_summary(run->engine, &here, &board, run->arguments->targets, wants_colour(), &text);
        put(&text);
    }
    board_warnings(&board, &text);
    if (text.length)
        say(text.at);
    board_free(&board);
    text_free(&text);
}

static void expand(struct run *run)
{
    char skip[PATH_MAX];
    const struct arguments *arguments = run->arguments;
    bool skips = arguments->output && realpath(arguments->output, skip);
    for (int index = 0; index < arguments->image_count; index++) {
        struct text note = {0}, line = {0};
        jobs_expand(&run->jobs, arguments->images[index], skips ? skip : NULL, &note);
        if (note.length && !arguments->quiet) {
            text_print(&line, "note: %s\n", note.at);
            say(line.at);
        }
        text_free(&note);
        text_free(&line);
    }
}

/* Whether the engine is there; else the failure says what keeps every image from an answer. */
static bool begin(struct run *run, struct failure *failure)
{
    const struct arguments *arguments = run->arguments;
    if (arguments->output) {
        if (!results_open(&run->results, arguments->output, failure))
            return false;
        run->keeps = true;
    }
    bool once = run->jobs.count == 1 && arguments->repeat == 1 && !arguments->warmup;
    if (!load(run->engine, arguments, once, failure))
        return false;
    if (run->keeps && run->engine->model.manifest.task->draw && !keeps_apart(run, failure)) {
        run->keeps = false; /* not even the error is written there */
        return false;
    }
    return true;
}

int infer(struct engine *engine, const struct arguments *arguments)
{
    struct run run = {.engine = engine, .arguments = arguments};
    struct failure refusal = {0};
    size_t good = 0;
    expand(&run);
    char **names = need(run.jobs.count * sizeof *names);
    for (size_t index = 0; index < run.jobs.count; index++) {
        struct text name = {0};
        text_json(&name, run.jobs.at[index].image);
        names[index] = name.at;
        good += !run.jobs.at[index].failure.text;
    }
    ending_prepare(arguments->json, (const char *const *)names, run.jobs.count);
    bool ready = good && begin(&run, &refusal);
    if (good && !ready) {
        run.status = INVALID;
        complain(&refusal);
    }
    for (size_t index = 0; index < run.jobs.count; index++) {
        struct job *job = &run.jobs.at[index];
        struct place place = {0};
        if (run.keeps && !job->failure.text)
            place = results_place(&run.results, job);
        if (job->failure.text)
            invalid(&run, job, &job->failure, NULL);
        else if (ready)
            answer_one(&run, job, place.name ? &place : NULL);
        else
            put_error(&run, job, &refusal, place.name ? &place : NULL);
        place_free(&place);
    }
    if (run.answered && !arguments->quiet)
        close_run(&run);
    for (size_t index = 0; index < run.jobs.count; index++)
        free(names[index]);
    ending_prepare(false, NULL, 0);
    free(names);
    free(run.warm_ms);
    forget(&refusal);
    results_close(&run.results);
    jobs_free(&run.jobs);
    return run.status;
}
