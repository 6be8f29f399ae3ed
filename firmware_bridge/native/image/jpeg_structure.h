#ifndef EDGE_JPEG_STRUCTURE_H
#define EDGE_JPEG_STRUCTURE_H

#include "file.h"

/* What a JPEG's markers say, by the same rules as edge/readers/jpeg.py. */
struct jpeg_structure {
    unsigned width, height, components;
    int orientation;
    size_t size;             /* of the file up to its end marker */
    char unsupported[48];    /* a kind of JPEG that is not read; empty: another fault, or none */
};

/* Read all markers of a file. NULL, or what is wrong. */
const char *jpeg_structure(struct jpeg_structure *structure, const struct bytes *file);

#endif
