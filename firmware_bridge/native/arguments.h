#ifndef EDGE_ARGUMENTS_H
#define EDGE_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

/* The command line, as Python's argparse reads it: options may be abbreviated, `--name=value`, all after -- are IMAGEs. */
struct arguments {
    char **images;
    int image_count;
    const char *model, *runtime, *output; /* `model` and `output` may be NULL */
    bool list, json, check;
    long threads; /* 0: not given; less: asked for and impossible */
    bool has_threads;
    long repeat;
    uint64_t max_pixels;
};

enum parsed { PARSED, SAID, WRONG }; /* SAID: `text` is the whole answer; WRONG: what is to be mended */

enum parsed arguments_parse(struct arguments *arguments, int count, char **words, struct text *text);

#endif
