/* The command `edge-infer`: images in, answers and their cost out; the same as edge/cli.py.

   Exit status: 0 every image is answered; 1 `--check` failed; 2 invalid input (every other image is answered); 130 after
   Ctrl-C; 141 where standard output was closed early. docs/answers.md says what it prints. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "check.h"
#include "constants.h"
#include "ending.h"
#include "inference.h"
#include "memory.h"
#include "record.h"
#include "report.h"
#include "results.h"
#include "terminal.h"

static struct engine engine; /* lives as long as the process, whatever way that ends */

static void on_interrupt(int number)
{
    (void)number;
    drop_half_written();
    _exit(INTERRUPTED);
}

static void on_end(int number)
{
    drop_half_written();
    signal(number, SIG_DFL);
    raise(number);
}

/* The model file is read where it lies. Written over in place, which no copying program should do, it can end early. */
static void on_lost_file(int number)
{
    (void)number;
    end_at_once("model.damaged", "the model file was cut short while it was used: copy it again, beside its place first");
}

/* LiteRT trusts what it runs. What network.c lets pass all the same is no crash either. */
static void on_crash(int number)
{
    if (runtime_interrupted())
        end_at_once("runtime.crashed", "LiteRT crashed with this network: the model file is damaged, or needs more "
                                       "memory than there is; copy it again from where it was made");
    on_end(number);
}

/* A stack that is full leaves no room for a handler, so this one has its own. */
static void listen_to_crashes(void)
{
    static char room[1 << 16];
    const int numbers[] = {SIGSEGV, SIGABRT, SIGFPE, SIGILL};
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaltstack(&stack, NULL);
    for (size_t index = 0; index < sizeof numbers / sizeof *numbers; index++)
        sigaction(numbers[index], &action, NULL);
}

/* Have a signal handled, but for one that whoever started the program lets it ignore. */
static void listen_to(int number, void (*handler)(int))
{
    if (signal(number, handler) == SIG_IGN)
        signal(number, SIG_IGN);
}

static int list_models(const struct arguments *arguments)
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
            status = refused(&failure, arguments->json);
            model_close(&models[count]);
        }
        free(*path);
    }
    for (size_t index = 0; index < count && arguments->json; index++)
        record_model(&models[index], &text);
    for (size_t index = 0; index < count && arguments->quiet && !arguments->json; index++)
        text_print(&text, "%s\n", models[index].manifest.name);
    if (!arguments->json && !arguments->quiet && count)
        report_models(models, count, &text);
    else if (!arguments->json && !arguments->quiet)
        text_word(&text, "no models came with this installation: name a file with --model FILE\n");
    put(&text);
    for (size_t index = 0; index < count; index++)
        model_close(&models[index]);
    text_free(&text);
    free(models);
    free(paths);
    return status;
}

/* `alone`: no other model is checked, so that its name is not in front of each line. */
static int check_one(const struct arguments *arguments, bool alone)
{
    struct failure failure = {0};
    if (!load(&engine, arguments, false, &failure))
        return refused(&failure, arguments->json);
    const struct manifest *manifest = &engine.model.manifest;
    if (manifest->golden_count == 0) {
        fail_as(&failure, "model.golden", "%s has no golden vectors to check: build the model file again with "
                                          "edge-compress", engine.model.path);
        return refused(&failure, arguments->json);
    }
    struct text text = {0};
    size_t failed = 0;
    for (size_t index = 0; index < manifest->golden_count; index++) {
        struct verdict verdict = check_vector(&engine, &manifest->golden[index]);
        bool shown = !arguments->json && (verdict.failed || !arguments->quiet);
        if (!alone && shown)
            text_print(&text, "%s: ", manifest->name);
        if (arguments->json)
            verdict_json(&verdict, manifest->name, &text);
        else if (shown)
            verdict_line(&verdict, wants_colour(), &text);
        failed += verdict.failed;
        free(verdict.reason);
        put(&text);
    }
    if (!alone)
        text_print(&text, "%s: ", manifest->name);
    text_print(&text, "%zu of %zu golden vectors passed on litert %s, %d thread%s, delegate %s\n",
               manifest->golden_count - failed, manifest->golden_count, engine.runtime.version, engine.runtime.threads,
               engine.runtime.threads > 1 ? "s" : "", engine.runtime.delegate);
    if (arguments->json && !arguments->quiet)
        say(text.at);
    else if (!arguments->quiet)
        put(&text);
    text_free(&text);
    return failed ? CHECK_FAILED : OK;
}

/* Check the model that is named, else every one that is installed; return the worst status. */
static int check(const struct arguments *arguments)
{
    char **installed = arguments->model ? NULL : model_shipped();
    size_t count = 0;
    while (installed && installed[count])
        count++;
    int status = count < 2 ? check_one(arguments, true) : OK;
    for (size_t index = 0; count > 1 && index < count; index++) {
        struct arguments one = *arguments;
        one.model = installed[index];
        int ending = check_one(&one, false);
        status = ending > status ? ending : status;
        engine_close(&engine);
        engine = (struct engine){0};
    }
    while (count)
        free(installed[--count]);
    free(installed);
    return status;
}

int main(int count, char **words)
{
    memory_prepare();
    if (!terminal_prepare())
        return INVALID;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    listen_to(SIGINT, on_interrupt);
    listen_to(SIGTERM, on_end);
    listen_to(SIGHUP, on_end);
    signal(SIGBUS, on_lost_file);
    listen_to_crashes();
    struct arguments arguments;
    struct text text = {0};
    struct failure failure = {0};
    int status = OK;
    switch (arguments_parse(&arguments, count, words, &text, &failure)) {
    case PARSED:
        ending_prepare(arguments.json, NULL, 0);
        status = arguments.list    ? list_models(&arguments)
                 : arguments.check ? check(&arguments)
                                   : infer(&engine, &arguments);
        break;
    case ANSWERED:
        put(&text);
        break;
    case WRONG:
        status = refused(&failure, arguments.json);
    }
    text_free(&text);
    free(arguments.images);
    engine_close(&engine);
    return status;
}
