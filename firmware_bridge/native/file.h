#ifndef EDGE_FILE_H
#define EDGE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"

struct bytes {
    unsigned char *at;
    size_t count;
};

/* Return 0, or errno; ENOMEM where it does not fit into memory. The caller frees `bytes->at`. */
int read_all(int descriptor, struct bytes *bytes);
/* A picture's file, whatever it holds. */
bool read_picture(const char *path, struct bytes *bytes, struct failure *failure);
struct part {
    const char *ending; /* of the file's name */
    const void *bytes;
    size_t count;
};

enum { MAX_PARTS = 3 };

/* Write the files whose names begin with `name`, all of them whole or none: beside their places first, then renamed. */
bool write_parts(const char *folder, const char *name, const struct part *parts, int count, struct failure *failure);
/* Remove what `write_parts` has half written; may be called by a signal's handler. */
void drop_half_written(void);
bool make_folders(const char *path, struct failure *failure);

#endif
