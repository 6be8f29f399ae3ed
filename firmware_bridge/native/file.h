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
/* Write the file whole or not at all: beside its place first, then renamed. */
bool write_file(const char *folder, const char *name, const void *bytes, size_t count, struct failure *failure);
/* Remove what `write_file` has half written; may be called by a signal's handler. */
void drop_half_written(void);
bool make_folders(const char *path, struct failure *failure);

#endif
