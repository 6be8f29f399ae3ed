#include "arguments.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "picture.h"

#define VERSION "0.1.0"

static const char USAGE[] =
    "usage: edge-infer [-h] [--model NAME|FILE] [--list] [--json] [--threads N]\n"
    "                  [--runtime {auto,litert}] [--repeat N] [--output DIR] [--check]\n"
    "                  [--max-pixels N] [--version]\n"
    "                  [IMAGE ...]\n";

static const char HELP[] =
    "\n"
    "Run a compressed network on pictures, and say what it cost. For engineers; not\n"
    "a medical device.\n"
    "\n"
    "positional arguments:\n"
    "  IMAGE                 a file, a folder (its pictures), a quoted pattern, or\n"
    "                        - for stdin\n"
    "\n"
    "options:\n"
    "  -h, --help            show this help message and exit\n"
    "  --model NAME|FILE     a model of --list, or a file (default: pneumonia, or\n"
    "                        the only one)\n"
    "  --list                list the models that came with the program\n"
    "  --json                one JSON object a line on stdout, all else on stderr\n"
    "  --threads N           default: the cores of this process, at most 4\n"
    "  --runtime {auto,litert}\n"
    "                        default: litert\n"
    "  --repeat N            invoke N times a picture, say the median\n"
    "  --output DIR          also write each answer to DIR by the picture's name:\n"
    "                        NAME.json; mask and overlay of a segmentation\n"
    "  --check               compare with the golden vectors in the model file\n"
    "  --max-pixels N        refuse larger pictures (default: 64000000)\n"
    "  --version             show program's version number and exit\n"
    "\n"
    "exit status: 0 all answered, 1 --check failed, 2 something to mend (good\n"
    "pictures are still answered), 130 interrupted, 141 output closed early\n";

enum option { HELP_SHORT, HELP_LONG, MODEL, LIST, JSON, THREADS, RUNTIME, REPEAT, OUTPUT, CHECK, MAX, VERSION_OPTION, UNKNOWN };

static const struct {
    const char *name, *shown; /* `shown`: as messages call it */
    bool has_value;
} OPTIONS[] = {{"-h", "-h/--help", false}, {"--help", "-h/--help", false}, {"--model", "--model", true},
               {"--list", "--list", false}, {"--json", "--json", false}, {"--threads", "--threads", true},
               {"--runtime", "--runtime", true}, {"--repeat", "--repeat", true}, {"--output", "--output", true},
               {"--check", "--check", false}, {"--max-pixels", "--max-pixels", true}, {"--version", "--version", false}};

/* One word of the command line: an option, with the value behind its "=" or NULL; or not an option. */
struct word {
    enum option option;
    const char *value;
    bool is_option;
};

static bool is_negative_number(const char *word)
{
    const char *digits = word + 1 + strspn(word + 1, "0123456789");
    if (*digits == 0)
        return digits > word + 1;
    return *digits == '.' && digits[1] && digits[1 + strspn(digits + 1, "0123456789")] == 0;
}

static enum parsed __attribute__((format(printf, 2, 3))) wrong(struct text *text, const char *format, ...)
{
    va_list values;
    char *said = NULL;
    va_start(values, format);
    if (vasprintf(&said, format, values) < 0)
        memory_full();
    va_end(values);
    text_print(text, "%s; see edge-infer --help", said);
    free(said);
    return WRONG;
}

static enum parsed classify(const char *given, struct word *word, struct text *text)
{
    *word = (struct word){.option = UNKNOWN};
    if (given[0] != '-' || given[1] == 0)
        return PARSED;
    const char *equals = strchr(given, '=');
    size_t length = equals ? (size_t)(equals - given) : strlen(given);
    for (enum option option = 0; option < UNKNOWN; option++)
        if (strlen(OPTIONS[option].name) == length && memcmp(OPTIONS[option].name, given, length) == 0) {
            *word = (struct word){option, equals ? equals + 1 : NULL, true};
            return PARSED;
        }
    int matches = 0;
    struct text names = {0};
    for (enum option option = 0; option < UNKNOWN; option++) {
        bool is_long = given[1] == '-' && strncmp(OPTIONS[option].name, given, length) == 0;
        bool is_short = given[1] == 'h' && option == HELP_SHORT; /* -hREST */
        if (!is_long && !is_short)
            continue;
        text_print(&names, "%s%s", matches++ ? ", " : "", OPTIONS[option].name);
        *word = (struct word){option, is_short ? given + 2 : equals ? equals + 1 : NULL, true};
    }
    if (matches > 1)
        wrong(text, "ambiguous option: %s could match %s", given, names.at);
    else if (matches == 0 && !is_negative_number(given) && !strchr(given, ' '))
        word->is_option = true;
    text_free(&names);
    return matches > 1 ? WRONG : PARSED;
}

/* A whole number as Python's int() reads it, held within what fits. */
static bool whole_number(const char *given, long *number)
{
    char digits[64];
    size_t count = 0;
    while (isspace((unsigned char)*given))
        given++;
    bool minus = *given == '-';
    given += *given == '-' || *given == '+';
    bool after_digit = false, any = false;
    for (; isdigit((unsigned char)*given) || (*given == '_' && after_digit && isdigit((unsigned char)given[1])); given++) {
        after_digit = *given != '_';
        any = any || after_digit;
        if (after_digit && count < sizeof digits - 1 && (count || *given != '0'))
            digits[count++] = *given;
    }
    while (isspace((unsigned char)*given))
        given++;
    digits[count] = 0;
    unsigned long long value = strtoull(count ? digits : "0", NULL, 10);
    *number = value > LONG_MAX || count > 19 ? LONG_MAX : (long)value;
    *number = minus ? -*number : *number;
    return any && *given == 0;
}

static enum parsed take_value(struct arguments *arguments, enum option option, const char *value, struct text *text)
{
    struct text shown = {0};
    long number = 0;
    text_repr(&shown, value, strlen(value), false);
    enum parsed parsed = PARSED;
    switch (option) {
    case MODEL:
        arguments->model = value;
        break;
    case OUTPUT:
        arguments->output = value;
        break;
    case THREADS:
        if (!whole_number(value, &arguments->threads))
            parsed = wrong(text, "argument --threads: invalid int value: %s", shown.at);
        arguments->has_threads = true;
        break;
    case RUNTIME:
        /* Those that only Python's program has are told apart from words that mean nothing: see engine_load. */
        if (strcmp(value, "auto") != 0 && strcmp(value, "litert") != 0 && strcmp(value, "tflite") != 0 &&
            strcmp(value, "edgetpu") != 0)
            parsed = wrong(text, "argument --runtime: invalid choice: %s (choose from 'auto', 'litert')", shown.at);
        arguments->runtime = value;
        break;
    default:
        if (!whole_number(value, &number) || number < 1)
            parsed = wrong(text, "argument %s: expected a whole number of at least 1, not %s", OPTIONS[option].name,
                           shown.at);
        if (option == REPEAT)
            arguments->repeat = number;
        else
            arguments->max_pixels = (uint64_t)number;
    }
    text_free(&shown);
    return parsed;
}

static enum parsed take_flag(struct arguments *arguments, enum option option, struct text *text)
{
    if (option == HELP_SHORT || option == HELP_LONG)
        text_print(text, "%s%s", USAGE, HELP);
    else if (option == VERSION_OPTION)
        text_word(text, "edge-infer " VERSION "\n");
    else if (option == LIST)
        arguments->list = true;
    else if (option == JSON)
        arguments->json = true;
    else
        arguments->check = true;
    return text->length ? SAID : PARSED;
}

/* IMAGEs that follow each other are taken once; those after a later option are too many, as for argparse. */
static enum parsed take_words(struct arguments *arguments, int count, char **given, const struct word *words,
                              struct text *extra, struct text *text)
{
    bool taken = false, only_images = false;
    for (int index = 0; index < count;) {
        if (only_images || !words[index].is_option) {
            for (; index < count && (only_images || !words[index].is_option); index++) {
                bool is_end = !only_images && strcmp(given[index], "--") == 0;
                only_images = only_images || is_end;
                if (is_end && !taken)
                    continue;
                if (taken)
                    text_print(extra, "%s%s", extra->length ? " " : "", given[index]);
                else
                    arguments->images[arguments->image_count++] = given[index];
            }
            taken = true;
            continue;
        }
        const struct word *word = &words[index++];
        enum parsed parsed = PARSED;
        if (word->option == UNKNOWN) {
            text_print(extra, "%s%s", extra->length ? " " : "", given[index - 1]);
        } else if (!OPTIONS[word->option].has_value) {
            if (word->value) {
                struct text shown = {0};
                text_repr(&shown, word->value, strlen(word->value), false);
                parsed = wrong(text, "argument %s: ignored explicit argument %s", OPTIONS[word->option].shown, shown.at);
                text_free(&shown);
            } else {
                parsed = take_flag(arguments, word->option, text);
            }
        } else if (word->value) {
            parsed = take_value(arguments, word->option, word->value, text);
        } else if (index < count && !words[index].is_option && strcmp(given[index], "--") != 0) {
            parsed = take_value(arguments, word->option, given[index++], text);
        } else {
            parsed = wrong(text, "argument %s: expected one argument", OPTIONS[word->option].shown);
        }
        if (parsed != PARSED)
            return parsed;
    }
    return PARSED;
}

enum parsed arguments_parse(struct arguments *arguments, int count, char **given, struct text *text)
{
    *arguments = (struct arguments){.runtime = "auto", .repeat = 1, .max_pixels = MAX_PIXELS};
    arguments->images = need(((size_t)count + 1) * sizeof *arguments->images);
    struct word *words = need(((size_t)count + 1) * sizeof *words);
    struct text extra = {0};
    enum parsed parsed = PARSED;
    for (int index = 0; index < count && parsed == PARSED && strcmp(given[index], "--") != 0; index++)
        parsed = classify(given[index], &words[index], text);
    if (parsed == PARSED)
        parsed = take_words(arguments, count, given, words, &extra, text);
    if (parsed == PARSED && extra.length)
        parsed = wrong(text, "unrecognized arguments: %s", extra.at);
    else if (parsed == PARSED && (arguments->list || arguments->check) && arguments->image_count)
        parsed = wrong(text, "--list and --check take no IMAGE");
    else if (parsed == PARSED && !arguments->list && !arguments->check && !arguments->image_count)
        parsed = wrong(text, "no IMAGE was given: name a file, a folder, a pattern, or - for standard input");
    text_free(&extra);
    free(words);
    return parsed;
}
