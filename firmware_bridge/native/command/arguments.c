#include "arguments.h"

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "memory.h"
#include "image.h"

static const char HELP[] =
    "usage: edge-infer [OPTION ...] IMAGE ...\n"
    "\n"
    "Run a compressed network on images, and say what it cost. For engineers; not a\n"
    "medical device.\n"
    "\n"
    "positional arguments:\n"
    "  IMAGE                 a file, a folder (its images and those of its sub-\n"
    "                        folders), a quoted pattern, or - for stdin\n"
    "\n"
    "options:\n"
    "  -h, --help            show this help message and exit\n"
    "  -m NAME|FILE, --model NAME|FILE\n"
    "                        a model of --list, or a file (default: pneumonia, or\n"
    "                        the only one)\n"
    "  -o DIR, --output DIR  also write each answer to DIR by the image's name:\n"
    "                        NAME.json, and the files that its task draws\n"
    "  -j, --json            one JSON object an image on stdout\n"
    "  -q, --quiet           the answers alone, one line an image\n"
    "  --strict              an image with a warning is invalid input\n"
    "  --targets             show the model's targets as a table\n"
    "  -t N, --threads N     default: the cores of this process, at most 4\n"
    "  --runtime {auto,litert}\n"
    "                        default: litert\n"
    "  -r N, --repeat N      invoke N times an image, say how times spread\n"
    "  --warmup N            before that, invoke N times an image, uncounted\n"
    "  --max-pixels N        refuse larger images (default: 64000000)\n"
    "  --check               compare with golden vectors of --model, else of all\n"
    "  --list                list the models that came with the program\n"
    "  -V, --version         show program's version number and exit\n"
    "\n"
    "exit status: 0 all answered, 1 --check failed, 2 invalid input (all other\n"
    "images are answered), 130 interrupted, 141 output closed early\n";

enum { STRICT = UCHAR_MAX + 1, TARGETS, RUNTIME, WARMUP, MAX_PIXELS_OPTION, CHECK, LIST, IMAGE = 1 };

static const char SHORT[] = "-:hm:o:jqt:r:V"; /* "-": images in their order, whatever the environment says */
static const struct option LONG[] = {
    {"help", no_argument, NULL, 'h'},
    {"model", required_argument, NULL, 'm'},
    {"output", required_argument, NULL, 'o'},
    {"json", no_argument, NULL, 'j'},
    {"quiet", no_argument, NULL, 'q'},
    {"strict", no_argument, NULL, STRICT},
    {"targets", no_argument, NULL, TARGETS},
    {"threads", required_argument, NULL, 't'},
    {"runtime", required_argument, NULL, RUNTIME},
    {"repeat", required_argument, NULL, 'r'},
    {"warmup", required_argument, NULL, WARMUP},
    {"max-pixels", required_argument, NULL, MAX_PIXELS_OPTION},
    {"check", no_argument, NULL, CHECK},
    {"list", no_argument, NULL, LIST},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static bool wrong(struct failure *failure, const char *what, const char *given)
{
    return fail_as(failure, "arguments.invalid", "%s '%s'; see edge-infer --help", what, given);
}

static bool whole_number(const char *option, const char *given, long least, long most, long *number,
                         struct failure *failure)
{
    const char *digits = given + (*given == '+');
    size_t count = strlen(digits);
    *number = count <= 18 ? strtol(digits, NULL, 10) : -1;
    if (count && strspn(digits, "0123456789") == count && *number >= least && *number <= most)
        return true;
    char *span = most < LONG_MAX ? need_print("from %ld to %ld", least, most) : need_print("of at least %ld", least);
    char *what = need_print("argument %s: expected a whole number %s, not", option, span);
    wrong(failure, what, given);
    free(what);
    free(span);
    return false;
}

/* Take one option; what is no option counts as IMAGE. */
static bool take(struct arguments *arguments, int option, const char *value, struct failure *failure)
{
    long number = 0;
    bool done = true;
    switch (option) {
    case IMAGE:
        arguments->images[arguments->image_count++] = (char *)value;
        break;
    case 'm':
        arguments->model = value;
        break;
    case 'o':
        arguments->output = value;
        break;
    case 'j':
        arguments->json = true;
        break;
    case 'q':
        arguments->quiet = true;
        break;
    case STRICT:
        arguments->strict = true;
        break;
    case TARGETS:
        arguments->targets = true;
        break;
    case 't':
        done = whole_number("--threads", value, 1, MAX_THREADS, &arguments->threads, failure);
        break;
    case RUNTIME:
        /* Runtimes that only Python's program has are refused by engine_load, with what to do. */
        if (strcmp(value, "auto") != 0 && strcmp(value, "litert") != 0 && strcmp(value, "tflite") != 0 &&
            strcmp(value, "edgetpu") != 0)
            done = wrong(failure, "argument --runtime: expected auto or litert, not", value);
        arguments->runtime = value;
        break;
    case 'r':
        done = whole_number("--repeat", value, 1, MOST_INVOKES, &arguments->repeat, failure);
        break;
    case WARMUP:
        done = whole_number("--warmup", value, 0, MOST_INVOKES, &arguments->warmup, failure);
        break;
    case MAX_PIXELS_OPTION:
        done = whole_number("--max-pixels", value, 1, LONG_MAX, &number, failure);
        arguments->max_pixels = (uint64_t)number;
        break;
    case CHECK:
        arguments->check = true;
        break;
    case LIST:
        arguments->list = true;
    }
    return done;
}

enum parsed arguments_parse(struct arguments *arguments, int count, char **words, struct text *text,
                            struct failure *failure)
{
    *arguments = (struct arguments){.runtime = "auto", .repeat = 1, .max_pixels = MAX_PIXELS};
    arguments->images = need(((size_t)count + 1) * sizeof *arguments->images);
    opterr = 0;
    struct failure later = {0}; /* the first thing that is wrong counts; the others are looked through for --json */
    bool done = true;
    for (int option; (option = getopt_long(count, words, SHORT, LONG, NULL)) != -1;) {
        struct failure *where = done ? failure : &later;
        if (done && (option == 'h' || option == 'V')) {
            text_word(text, option == 'h' ? HELP : "edge-infer " PROGRAM_VERSION "\n");
            return ANSWERED;
        }
        char letter[] = {'-', (char)optopt, 0};
        const char *given = optopt > 0 && optopt <= UCHAR_MAX ? letter : words[optind - 1];
        bool taken = option == ':'   ? wrong(where, "an option needs a value:", given)
                     : option == '?' ? wrong(where, "an option is unknown, ambiguous or takes no value:", given)
                                     : take(arguments, option, optarg, where);
        done = done && taken;
    }
    free(later.text);
    while (optind < count)
        arguments->images[arguments->image_count++] = words[optind++];
    if (!done)
        return WRONG;
    if ((arguments->list || arguments->check) && arguments->image_count)
        done = fail_as(failure, "arguments.invalid", "--list and --check take no IMAGE; see edge-infer --help");
    else if (!arguments->list && !arguments->check && !arguments->image_count)
        done = fail_as(failure, "arguments.invalid", "no IMAGE was given: name a file, a folder, a pattern, or - for "
                                                     "standard input; see edge-infer --help");
    return done ? PARSED : WRONG;
}
