/* From a decoded image to the tensor that a network reads: edge/preprocess.py, to the bit. */
#include "preprocess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "resample.h"

static double smaller(double one, double other)
{
    return other < one ? other : one;
}

static double larger(double one, double other)
{
    return other > one ? other : one;
}

static int64_t at_least_1(double value)
{
    value = rint(value); /* to even, as Python's round */
    return value < 1 ? 1 : (int64_t)value;
}

struct placement place(int64_t width, int64_t height, const struct preprocessing *how)
{
    struct placement all = {{0, 0, (double)width, (double)height}, {0, 0, how->width, how->height}};
    double across = (double)how->width / (double)width, down = (double)how->height / (double)height;
    if (how->fit == CROP) {
        double scale = larger(across, down);
        double part[2] = {(double)how->width / scale, (double)how->height / scale};
        all.box[0] = larger(0, ((double)width - part[0]) / 2); /* rounding can fall below */
        all.box[1] = larger(0, ((double)height - part[1]) / 2);
        all.box[2] = smaller(all.box[0] + part[0], (double)width);
        all.box[3] = smaller(all.box[1] + part[1], (double)height);
    } else if (how->fit == PAD) {
        double scale = smaller(across, down);
        int64_t inner[2] = {at_least_1((double)width * scale), at_least_1((double)height * scale)};
        all.inner[0] = (how->width - inner[0]) / 2;
        all.inner[1] = (how->height - inner[1]) / 2;
        all.inner[2] = all.inner[0] + inner[0];
        all.inner[3] = all.inner[1] + inner[1];
    }
    return all;
}

unsigned char *preprocess_pixels(struct image *image, const struct preprocessing *how)
{
    if (image->width == how->width && image->height == how->height) {
        unsigned char *pixels = image->pixels;
        image->pixels = NULL;
        return pixels;
    }
    struct placement placement = place(image->width, image->height, how);
    int64_t columns = placement.inner[2] - placement.inner[0], rows = placement.inner[3] - placement.inner[1];
    for (int side = 0; side < 4; side++)
        placement.box[side] /= image->reduction;
    unsigned char *part = resample_bytes(image->pixels, image->columns, image->rows, image->channels,
                                         placement.box, columns, rows);
    if (!part || (columns == how->width && rows == how->height))
        return part;
    size_t stored = (size_t)image->channels, bytes = (size_t)columns * stored, stride = (size_t)how->width * stored;
    unsigned char *canvas = calloc((size_t)how->height, stride); /* black */
    for (int64_t row = 0; canvas && row < rows; row++)
        memcpy(canvas + (size_t)(placement.inner[1] + row) * stride + (size_t)placement.inner[0] * stored,
               part + (size_t)row * bytes, bytes);
    free(part);
    return canvas;
}

void float_table(const struct preprocessing *how, float table[3][256])
{
    for (int channel = 0; channel < how->channels; channel++)
        for (int value = 0; value < 256; value++)
            table[channel][value] = (float)(((double)value / 255 - how->mean[channel]) / how->std[channel]);
}

void int8_table(const struct preprocessing *how, double scale, int64_t zero_point, int8_t table[3][256])
{
    float floats[3][256];
    float_table(how, floats);
    for (int channel = 0; channel < how->channels; channel++)
        for (int value = 0; value < 256; value++) {
            double quantized = rint((double)floats[channel][value] / scale) + (double)zero_point;
            table[channel][value] = (int8_t)(quantized < -128 ? -128 : quantized > 127 ? 127 : quantized);
        }
}

void look_up(const unsigned char *pixels, int stored, const struct preprocessing *how, float floats[3][256],
             int8_t int8s[3][256], void *input)
{
    size_t count = (size_t)how->width * (size_t)how->height;
    int channels = how->channels;
    for (int channel = 0; channel < channels; channel++) {
        const unsigned char *from = pixels + (stored == 1 ? 0 : channel);
        if (int8s) {
            int8_t *to = (int8_t *)input + channel;
            for (size_t index = 0; index < count; index++, from += stored, to += channels)
                *to = int8s[channel][*from];
        } else {
            float *to = (float *)input + channel;
            for (size_t index = 0; index < count; index++, from += stored, to += channels)
                *to = floats[channel][*from];
        }
    }
}
