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

#endif
