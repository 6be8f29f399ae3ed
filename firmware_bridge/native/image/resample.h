#ifndef EDGE_RESAMPLE_H
#define EDGE_RESAMPLE_H

#include <stdint.h>

/* The part of an image between left, top, right and bottom (pixels, fractions count), resampled to columns x rows by
   Pillow's bilinear filter with antialiasing: the same bits as its Image.resize(..., BILINEAR, box). The caller frees
   what is returned; NULL where the memory is full. */
unsigned char *resample_bytes(const unsigned char *pixels, int64_t width, int64_t height, int channels,
                              const double box[4], int64_t columns, int64_t rows);
float *resample_floats(const float *pixels, int64_t width, int64_t height, const double box[4], int64_t columns,
                       int64_t rows);

#endif
