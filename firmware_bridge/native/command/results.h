#ifndef EDGE_RESULTS_H
#define EDGE_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"
#include "sources.h"
#include "task.h"
#include "text.h"

/* The folder of --output: NAME.json for each image, and the files that the task draws, NAME.mask.png for example.
   docs/answers.md says whose files are replaced. */
struct results {
    const char *folder;
    struct taken {
        char *name, *path; /* of this run; of its image as JSON, "null" for standard input */
    } *taken;
    size_t count;
};

/* Where one image's results go. */
struct place {
    char *name;  /* path below the folder, without an ending */
    char *path;  /* of the image, absolute; NULL for standard input */
    bool is_own; /* whether an earlier run put its results for this image there */
    char **owned; /* the endings of the files beside its JSON */
    size_t owned_count;
};

bool results_open(struct results *results, const char *folder, struct failure *failure);
void results_close(struct results *results);
/* Choose where the results of an image go: where an earlier run put them, else where nothing is. */
struct place results_place(struct results *results, const struct job *job);
void place_free(struct place *place);
/* Write the record (a line that begins with the image) and what was drawn, all of it whole or nothing, in place of earlier
   ones. Where that can't be, or a file that edge-infer did not make would be replaced, what an earlier run made for this
   image is removed. */
bool results_write(struct results *results, const struct place *place, const struct text *record,
                   const struct drawn *drawn, size_t drawn_count, struct failure *failure);
/* Path of an image's results below the folder, without an ending; the caller frees it. */
char *result_name(const struct job *job);
/* Remove what is half written; may be called by a signal's handler. */
void drop_half_written(void);

#endif
