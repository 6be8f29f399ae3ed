#ifndef EDGE_LETTERING_H
#define EDGE_LETTERING_H

#include <stdint.h>

/* 8-bit RGB, `columns` x `rows`. */
struct canvas {
    unsigned char *pixels;
    int64_t columns, rows;
};

/* The width of a line of UTF-8 in letters of `size` pixels. */
int64_t lettering_width(const char *words, int64_t size);
/* Write it from the left and top on, in this colour; what lies outside of the canvas is left out. */
void lettering_draw(const struct canvas *canvas, const char *words, int64_t size, int64_t left, int64_t top,
                    const unsigned char colour[3]);
/* `from` with `part` of 255 of `to`: Pillow's. */
unsigned char blend(unsigned char from, unsigned char to, unsigned part);

#endif
