#ifndef EDGE_PREPROCESS_H
#define EDGE_PREPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "window.h"

enum fit { STRETCH, CROP, PAD };

/* How an image becomes a network's input: the manifest's `input`. */
struct preprocessing {
    int64_t height, width;
    bool is_grey; /* else rgb */
    int channels; /* channels of the input: 3 for rgb; 1, or 3 equal ones, for grey */
    enum fit fit;
    double mean[3], std[3];
    struct value_window window;
};

/* Which part of an image a network sees (in the image's pixels), and where in its input (in the input's). */
struct placement {
    double box[4];    /* left, top, right, bottom; they may be fractions */
    int64_t inner[4]; /* likewise */
};

struct placement place(int64_t width, int64_t height, const struct preprocessing *how);

/* Return the 8-bit pixels of the network's input, of the image's channels; the caller frees it. It takes the image's
   pixels where they are what it is to return. NULL where the memory is full. */
unsigned char *preprocess_pixels(struct image *image, const struct preprocessing *how);

/* One entry for each of the values of a pixel, one after another by channel. */
void float_table(const struct preprocessing *how, float table[3][256]);
void int8_table(const struct preprocessing *how, double scale, int64_t zero_point, int8_t table[3][256]);

/* Fill the network's input with `pixels` of so many channels through the table of its type (the other one is NULL). One
   channel fills every channel. */
void look_up(const unsigned char *pixels, int channels, const struct preprocessing *how, float floats[3][256],
             int8_t int8s[3][256], void *input);

#endif
