#ifndef EDGE_PNG_CHUNKS_H
#define EDGE_PNG_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "file.h"

/* What the chunks around the pixels say, read as strictly as Pillow does: what it refuses is refused. */
struct png_header {
    uint32_t width, height;
    unsigned depth, colour, interlaced; /* as in the file */
    unsigned char palette[256][3];      /* entries that are not given are black */
    struct bytes exif, xmp, profile;    /* owned; `profile` is ImageMagick's, in hexadecimal digits */
    bool has_header, is_animated, xmp_is_text;
    uint64_t text_bytes;
};

struct chunk {
    char name[5];
    const unsigned char *data;
    uint32_t length;
    bool is_whole; /* else the file ends within it */
};

/* Read the chunk at `*at` and go to its checksum. False where there is none. */
bool chunk_next(const struct bytes *file, size_t *at, struct chunk *chunk);
/* Whether the checksum at `*at` is there and right; goes past it. */
bool chunk_sum(const struct bytes *file, size_t *at, const struct chunk *chunk);
/* Take what a chunk says. NULL, or what is wrong with it. */
const char *chunk_take(struct png_header *header, const struct chunk *chunk);
/* The orientation from EXIF, else XMP. False where the EXIF data is damaged. */
bool png_orientation(const struct png_header *header, int *orientation);
void png_header_free(struct png_header *header);

#endif
