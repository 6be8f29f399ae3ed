#ifndef EDGE_FILE_H
#define EDGE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"

struct bytes {
    unsigned char *at;
    size_t count;
};

/* What an image file that begins so is: "PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"; NULL: nothing of these. */
const char *image_format(const struct bytes *head);
/* An image's file; of a file that begins like no image only the beginning, so that /dev/zero, a pipe that never ends and
   a disk are refused as soon as any other file. False where it can't be read, or is larger than 1 GiB or half of this
   machine's memory. The caller frees `bytes->at`. The same rules as edge/files.py. */
bool read_image(const char *path, struct bytes *bytes, struct failure *failure);
bool read_standard_input(struct bytes *bytes, struct failure *failure);

#endif
