/* The command `edge-infer`: pictures in, answers and their cost out; the same as edge/cli.py.

   Exit status: 0 every picture is answered; 1 `--check` failed; 2 something that the user can mend (every other picture
   is answered); 130 after Ctrl-C; 141 where standard output was closed early. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "board.h"
#include "check.h"
#include "engine.h"
#include "file.h"
#include "mask.h"
#include "memory.h"
#include "meter.h"
#include "overlay.h"
#include "report.h"
#include "sources.h"

enum { OK, CHECK_FAILED, MENDABLE, INTERRUPTED = 130, CLOSED = 141, USUAL_THREADS = 4 };

#define MASK ".mask.png"
#define OVERLAY ".overlay.jpg"

static struct engine engine; /* lives as long as the process, whatever way that ends */
static bool is_open[3];      /* whether standard input, output and error are */

static void on_interrupt(int number)
{
    (void)number;
    drop_half_written();
    _exit(INTERRUPTED);
}

/* The model file is read where it lies. Written over in place, which no copying program should do, it can end early. */
static void on_lost_file(int number)
{
    static const char said[] = "edge-infer: the model file was cut short while it was used: copy it again, beside its "
                               "place first\n";
    (void)number;
    drop_half_written();
    ssize_t written = write(2, said, sizeof said - 1);
    (void)written;
    _exit(MENDABLE);
}

/* Write a line to standard error, if there is one that can be written. */
static void say(const char *text)
{
    size_t length = strlen(text);
    while (is_open[2] && length) {
        ssize_t count = write(2, text, length);
        if (count < 0 && errno != EINTR)
            return;
        if (count > 0) {
            text += count;
            length -= (size_t)count;
        }
    }
}

static void complain(const char *sentence)
{
    struct text line = {0};
    text_word(&line, "edge-infer: ");
    text_one_line(&line, sentence);
    text_word(&line, "\n");
    say(line.at);
    text_free(&line);
}

/* Complain of the failure, forget it, and return the status for it. */
static int complained(struct failure *failure)
{
    complain(failure->text);
    free(failure->text);
    failure->text = NULL;
    return MENDABLE;
}

/* Write to standard output at once; where that can't be, the process ends. Empties the text. */
static void put(struct text *text)
{
    for (size_t at = 0; is_open[1] && at < text->length;) {
        ssize_t count = write(1, text->at + at, text->length - at);
        if (count >= 0) {
            at += (size_t)count;
        } else if (errno == EPIPE) {
            exit(CLOSED);
        } else if (errno != EINTR) {
            struct failure failure = {0};
            fail(&failure, "standard output can't be written (%s): make room where it goes", strerror(errno));
            exit(complained(&failure));
        }
    }
    text->length = 0;
}

static bool wants_colour(void)
{
    const char *off = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return is_open[1] && isatty(1) && !(off && *off) && !(terminal && strcmp(terminal, "dumb") == 0);
}

static int list_models(bool as_json)
{
    char **paths = model_shipped();
    struct model *models = NULL;
    struct failure failure = {0};
    struct text text = {0};
    size_t count = 0;
    int status = OK;
    for (char **path = paths; *path; path++) {
        models = need_more(models, (count + 1) * sizeof *models);
        if (model_read(&models[count], *path, &failure)) {
            count++;
        } else {
            status = complained(&failure);
            model_close(&models[count]);
        }
        free(*path);
    }
    if (count || as_json)
        report_models(models, count, as_json, &text);
    else
        text_word(&text, "no models came with this installation: name a file with --model FILE\n");
    put(&text);
    for (size_t index = 0; index < count; index++)
        model_close(&models[index]);
    text_free(&text);
    free(models);
    free(paths);
    return status;
}

static int check(bool as_json)
{
    const struct manifest *manifest = &engine.model.manifest;
    struct failure failure = {0};
    if (manifest->golden_count == 0) {
        fail(&failure, "%s holds no golden vectors to check: build the model file again with edge-compress",
             engine.model.path);
        return complained(&failure);
    }
    struct text text = {0};
    size_t failed = 0;
    for (size_t index = 0; index < manifest->golden_count; index++) {
        struct verdict verdict = check_vector(&engine, &manifest->golden[index]);
        if (as_json)
            verdict_json(&verdict, &text);
        else
            verdict_line(&verdict, wants_colour(), &text);
        failed += verdict.failed;
        free(verdict.reason);
        put(&text);
    }
    text_print(&text, "%zu of %zu golden vectors passed on litert %s, %d thread%s, delegate %s\n",
               manifest->golden_count - failed, manifest->golden_count, engine.runtime.version, engine.runtime.threads,
               engine.runtime.threads > 1 ? "s" : "", engine.runtime.delegate);
    if (as_json)
        say(text.at);
    else
        put(&text);
    text_free(&text);
    return failed ? CHECK_FAILED : OK;
}

static bool read_named(const char *name, struct bytes *data, double *ms, struct failure *failure)
{
    double before = now_ms();
    *ms = 0; /* not counted for what standard input waits for */
    if (strcmp(name, "-") != 0) {
        bool done = read_picture(name, data, failure);
        *ms = now_ms() - before;
        return done;
    }
    if (!is_open[0])
        return fail(failure, "standard input is closed: expected a picture there");
    int error = read_all(0, data);
    return !error || fail(failure, "standard input can't be read (%s): expected a picture there", strerror(error));
}

/* Whether none of the pictures is where the mask or the overlay of this name would go. */
static bool spares_pictures(const struct names *names, const char *folder, const char *result, struct failure *failure)
{
    char path[PATH_MAX], real[PATH_MAX], picture[PATH_MAX];
    const char *endings[] = {MASK, OVERLAY};
    for (int ending = 0; ending < 2; ending++) {
        snprintf(path, sizeof path, "%s/%s%s", folder, result, endings[ending]);
        if (!realpath(path, real))
            continue; /* there is nothing yet */
        for (size_t index = 0; index < names->count; index++)
            if (realpath(names->at[index], picture) && strcmp(real, picture) == 0)
                return fail(failure, "%s is one of the pictures and would be replaced: give --output another folder", path);
    }
    return true;
}

/* Whether masks would not lie among the pictures that a folder or pattern found, from `first` on, and be found next time. */
static bool keeps_apart(const char *word, const struct names *names, size_t first, const char *output,
                        struct failure *failure)
{
    char pictures[PATH_MAX], results[PATH_MAX];
    for (size_t index = first; index < names->count && realpath(output, results); index++) {
        const char *name = names->at[index], *slash = strrchr(name, '/');
        if (strcmp(name, word) == 0)
            continue;
        char *folder = slash ? need_copy(name) : need_copy(".");
        if (slash)
            folder[slash > name ? slash - name : 1] = 0;
        bool is_same = realpath(folder, pictures) && strcmp(pictures, results) == 0;
        free(folder);
        if (is_same)
            return fail(failure, "%s is where the pictures are and where results would go: give --output another folder",
                        word);
    }
    return true;
}

/* The mask, and the picture in `data` with it drawn over. */
static bool draw(const struct bytes *data, const struct answer *answer, struct text *mask, struct text *overlay,
                 struct failure *failure)
{
    struct text caption = {0};
    report_caption(answer, &caption);
    const char *captions[] = {caption.at, NOTICE, NULL};
    bool done = mask_png(&answer->outline, mask, failure) &&
                overlay_jpeg(data, "the image", &answer->outline, captions, overlay, failure);
    text_free(&caption);
    return done;
}

static void say_how(char *how, size_t room, bool first, long repeat)
{
    if (repeat == 1)
        snprintf(how, room, "%s", first ? "the first" : "one");
    else
        snprintf(how, room, "median of %ld%s", repeat - first, first ? " after the first" : "");
}

/* Answer one picture and tell it. `invoke` stays as it is where there is no answer. */
static bool infer_one(const struct arguments *arguments, const struct names *names, size_t index, double *invoke,
                      struct text *text, struct failure *failure)
{
    const char *name = names->at[index];
    bool drawing = arguments->output && engine.model.manifest.is_segmentation, first = !(engine.first_invoke_ms >= 0);
    struct bytes data = {0};
    struct answer answer;
    double read_ms;
    if (drawing && !spares_pictures(names, arguments->output, names->results[index], failure))
        return false;
    if (!read_named(name, &data, &read_ms, failure))
        return false;
    bool done = engine_answer(&engine, &data, strcmp(name, "-") == 0 ? "the picture on standard input" : name,
                              arguments->repeat, arguments->max_pixels, &answer, failure);
    if (!done) {
        free(data.at);
        return false;
    }
    answer.ms[READ_PHASE] += read_ms;
    answer.ms[TOTAL] += read_ms;
    struct text mask = {0}, overlay = {0};
    if (drawing)
        done = draw(&data, &answer, &mask, &overlay, failure);
    free(data.at);
    if (!done) {
        text_free(&mask);
        text_free(&overlay);
        answer_free(&answer);
        return false;
    }
    *invoke = answer.ms[INVOKE];
    if (arguments->json || arguments->output) {
        struct board board = board_read();
        report_json(name, &engine, &answer, peak_mb(), &board, text);
        board_free(&board);
    }
    if (arguments->output) {
        struct part parts[] = {
            {MASK, mask.at, mask.length}, {OVERLAY, overlay.at, overlay.length}, {".json", text->at, text->length}};
        int drawn = drawing ? 2 : 0; /* the first two */
        done = write_parts(arguments->output, names->results[index], parts + 2 - drawn, drawn + 1, failure);
    }
    text_free(&mask);
    text_free(&overlay);
    if (!arguments->json) {
        char how[80];
        say_how(how, sizeof how, first, arguments->repeat);
        text->length = 0;
        report_answer(name, &engine, &answer, how, wants_colour(), text);
    }
    put(text);
    answer_free(&answer);
    return done;
}

static int infer(const struct arguments *arguments)
{
    struct names names = {0};
    struct failure failure = {0};
    struct text text = {0};
    int status = OK;
    for (int index = 0; index < arguments->image_count; index++) {
        const char *word = arguments->images[index];
        size_t first = names.count;
        if (!names_expand(&names, word, &failure)) {
            status = complained(&failure);
        } else if (arguments->output && engine.model.manifest.is_segmentation &&
                   !keeps_apart(word, &names, first, arguments->output, &failure)) {
            names_free(&names);
            return complained(&failure);
        }
    }
    names_results(&names);
    double *invokes = need(names.count * sizeof *invokes);
    size_t answered = 0;
    for (size_t index = 0; index < names.count; index++) {
        invokes[answered] = NAN;
        if (!infer_one(arguments, &names, index, &invokes[answered], &text, &failure))
            status = complained(&failure);
        answered += !isnan(invokes[answered]);
        text.length = 0;
    }
    if (answered) {
        struct board board = board_read();
        if (arguments->json)
            say(NOTICE "\n");
        else
            report_summary(&engine, peak_mb(), median(invokes, answered), &board, wants_colour(), &text);
        put(&text);
        board_warnings(&board, &text);
        if (text.length)
            say(text.at);
        board_free(&board);
    }
    text_free(&text);
    names_free(&names);
    free(invokes);
    return status;
}

/* Whether the network will run once, as far as the words say. */
static bool runs_once(const struct arguments *arguments)
{
    struct stat status;
    return !arguments->check && arguments->repeat == 1 && arguments->image_count == 1 &&
           !strpbrk(arguments->images[0], "*?[") &&
           !(stat(arguments->images[0], &status) == 0 && S_ISDIR(status.st_mode));
}

static int run(const struct arguments *arguments)
{
    struct failure failure = {0};
    if (arguments->list)
        return list_models(arguments->json);
    if (arguments->output && !make_folders(arguments->output, &failure))
        return complained(&failure);
    int cores = usable_cores(), threads = cores < USUAL_THREADS ? cores : USUAL_THREADS;
    if (arguments->has_threads)
        threads = arguments->threads > INT_MAX ? INT_MAX : arguments->threads < INT_MIN ? INT_MIN : (int)arguments->threads;
    if (!engine_load(&engine, arguments->model, arguments->runtime, threads, runs_once(arguments), &failure))
        return complained(&failure);
    return arguments->check ? check(arguments->json) : infer(arguments);
}

int main(int count, char **words)
{
    memory_prepare();
    for (int stream = 0; stream < 3; stream++) {
        is_open[stream] = fcntl(stream, F_GETFD) != -1;
        if (!is_open[stream] && open("/dev/null", O_RDWR) < 0) /* so that no file takes its number */
            return MENDABLE;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (signal(SIGINT, SIG_IGN) != SIG_IGN) /* nohup and background jobs ignore it */
        signal(SIGINT, on_interrupt);
    signal(SIGBUS, on_lost_file);
    struct arguments arguments;
    struct text text = {0};
    int status = OK;
    switch (arguments_parse(&arguments, count - 1, words + 1, &text)) {
    case PARSED:
        status = run(&arguments);
        break;
    case SAID:
        put(&text);
        break;
    case WRONG:
        complain(text.at);
        status = MENDABLE;
    }
    text_free(&text);
    free(arguments.images);
    engine_close(&engine);
    return status;
}
