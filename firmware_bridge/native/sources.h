#ifndef EDGE_SOURCES_H
#define EDGE_SOURCES_H

#include "failure.h"

#include <stddef.h>

/* Names of pictures, and the name for each one's result files. */
struct names {
    char **at, **results;
    size_t count;
};

/* Add the pictures that one word of the command line stands for: "-" (standard input), a folder, a pattern or a file. */
bool names_expand(struct names *names, const char *word, struct failure *failure);
/* Give each a name for its results: its stem, numbered where an earlier one of this run has it. */
void names_results(struct names *names);
void names_free(struct names *names);

#endif
