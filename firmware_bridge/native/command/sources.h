#ifndef EDGE_SOURCES_H
#define EDGE_SOURCES_H

#include <stddef.h>

#include "failure.h"
#include "text.h"

/* An image that a word of the command line asks for; or a word with which something is wrong. */
struct job {
    char *image;            /* a path, or "-" for standard input */
    const char *word;       /* by which it is asked for */
    long root;              /* how many of the path's bytes name the folder that was looked into; -1: the word is the image */
    struct failure failure; /* where its text is not NULL: of the word, which then is its own image */
};

struct jobs {
    struct job *at;
    size_t count;
};

/* Add what one word stands for: "-", a folder with its sub-folders, a pattern or a file. `skip` is a sub-folder that is
   not looked into, as realpath gives it, or NULL. Files that were left out are listed in `note`, in one line. */
void jobs_expand(struct jobs *jobs, const char *word, const char *skip, struct text *note);
void jobs_free(struct jobs *jobs);

#endif
