#ifndef EDGE_ARGUMENTS_H
#define EDGE_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"
#include "text.h"

/* The command line: options may stand among the images and be abbreviated; all after -- are images. */
struct arguments {
    char **images;
    int image_count;
    const char *model, *runtime, *output; /* `model` and `output` may be NULL */
    bool list, json, check, quiet, strict, targets;
    long threads; /* 0: not given */
    long repeat, warmup;
    uint64_t max_pixels;
};

enum parsed { PARSED, ANSWERED, WRONG }; /* ANSWERED: `text` is the whole answer */

/* `json` is right in any case. */
enum parsed arguments_parse(struct arguments *arguments, int count, char **words, struct text *text,
                            struct failure *failure);

#endif
