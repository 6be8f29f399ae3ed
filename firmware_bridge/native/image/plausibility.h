#ifndef EDGE_PLAUSIBILITY_H
#define EDGE_PLAUSIBILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "constants.h"
#include "failure.h"
#include "file.h"
#include "preprocess.h"

/* What a decoder finds beside the pixels: how they are stored, and a sample of them on a grid, before a window. */
struct evidence {
    bool is_deep, is_grey; /* 16 bits a channel in the file; what is only asked of those: one channel */
    unsigned least, most;  /* the stored values of 16 bits */
    int64_t above, under;  /* how many of them lie above the window, and how many do not */
    bool has_alpha, has_colour;
    int64_t columns[SAMPLED], rows[SAMPLED]; /* of the image, as it lies in the file; in ascending order */
    int column_count, row_count;
    unsigned char pixels[SAMPLED * SAMPLED][4]; /* red, green, blue, opacity */
};

/* Lay the grid over an image of this size. */
void evidence_begin(struct evidence *evidence, int64_t columns, int64_t rows);
/* The first pixel of the sample in this row of the image, column_count of them; NULL where there is none. */
unsigned char (*evidence_row(struct evidence *evidence, int64_t row))[4];

/* What makes the answer about an upright image doubtful, before the network's input is made of it. */
void doubts(const struct evidence *evidence, const struct bytes *file, const struct preprocessing *how,
            struct image *image);
/* ... and once it is made of an image of width x height: `pixels` of so many channels. */
void doubt_uniform(const unsigned char *pixels, int channels, int64_t width, int64_t height,
                   const struct preprocessing *how, struct warnings *warnings);

#endif
