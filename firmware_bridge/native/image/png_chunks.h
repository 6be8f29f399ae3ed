#ifndef EDGE_PNG_CHUNKS_H
#define EDGE_PNG_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "file.h"

/* What the chunks around the pixels say, checked against the standard by the same rules as edge/readers/png.py. */
struct png_header {
    uint32_t width, height;
    unsigned depth, colour, interlaced; /* as in the file */
    unsigned colours;                   /* entries of the palette; 0 where the pixels are none of its indices */
    unsigned char palette[256][3];
    bool has_opacity;                   /* of the palette's entries */
    unsigned char opacity[256];
    int orientation;
};

struct chunk {
    char name[5];
    const unsigned char *data;
    uint32_t length;
};

/* Read the chunk at `*at` and go past its checksum. NULL, or what is wrong with it. */
const char *chunk_next(const struct bytes *file, size_t *at, struct chunk *chunk);
/* Read all chunks of a file. NULL, or what is wrong; `unknown` is then the name of a critical chunk that is not known. */
const char *png_structure(struct png_header *header, const struct bytes *file, char unknown[5]);

#endif
