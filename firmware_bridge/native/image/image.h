#ifndef EDGE_IMAGE_H
#define EDGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "constants.h"
#include "failure.h"
#include "file.h"

struct preprocessing;

/* A decoded, upright image of 8-bit grey or RGB. */
struct image {
    int64_t width, height; /* of the image itself */
    int64_t columns, rows; /* of `pixels`: fewer where a JPEG was decoded smaller */
    int channels;            /* 1 or 3, interleaved */
    int reduction;         /* how many of the image's pixels one in `pixels` stands for, either way: 1, 2, 4 or 8 */
    unsigned char *pixels;
    struct warnings warnings; /* what makes an answer about it doubtful */
};

/* Decode a file's bytes for a network with this input; `name` is for messages. `full_size`: no JPEG decoded smaller. */
bool image_decode(struct image *image, const struct bytes *data, const char *name,
                    const struct preprocessing *how, bool full_size, uint64_t max_pixels, struct failure *failure);
void image_free(struct image *image);

#endif
