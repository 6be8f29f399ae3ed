/* Is an image what a network can make sense of? edge/plausibility.py, with the same verdicts in the same words. */
#include "plausibility.h"

#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "frames.h"

/* Which pixel of `from` is shown by each of `to`: the nearest one, added up as Pillow does. */
static int spread_out(int64_t from, int64_t *to)
{
    int count = (int)(from < SAMPLED ? from : SAMPLED);
    double step = (double)from / (double)count, at = step * 0.5;
    for (int index = 0; index < count; index++, at += step)
        to[index] = (int64_t)at < from ? (int64_t)at : from - 1;
    return count;
}

void evidence_begin(struct evidence *evidence, int64_t columns, int64_t rows)
{
    evidence->column_count = spread_out(columns, evidence->columns);
    evidence->row_count = spread_out(rows, evidence->rows);
    evidence->least = UINT32_MAX;
}

unsigned char (*evidence_row(struct evidence *evidence, int64_t row))[4]
{
    int low = 0, high = evidence->row_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (evidence->rows[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < evidence->row_count && evidence->rows[low] == row;
    return found ? evidence->pixels + low * evidence->column_count : NULL;
}

/* How far values lie apart, strays left out. */
static int spread(const int64_t counts[256])
{
    int64_t stray = 0, below = 0, above = 0;
    for (int value = 0; value < 256; value++)
        stray += counts[value];
    stray /= STRAY;
    int least = 0, most = 255;
    while (least < 255 && (below += counts[least]) <= stray)
        least++;
    while (most > least && (above += counts[most]) <= stray)
        most--;
    return most - least;
}

static int larger(int one, int other)
{
    return one > other ? one : other;
}

/* Whether nearly one colour lies below a transparency that varies. */
static bool shows_by_opacity(const struct evidence *evidence, bool visible_only)
{
    int64_t counts[4][256] = {{0}};
    for (int index = 0; index < evidence->column_count * evidence->row_count; index++) {
        const unsigned char *pixel = evidence->pixels[index];
        for (int channel = 0; channel < 4 && (pixel[3] || !visible_only); channel++)
            counts[channel][pixel[channel]]++;
    }
    int colour = larger(spread(counts[0]), larger(spread(counts[1]), spread(counts[2])));
    return colour <= NEAR && spread(counts[3]) > NEAR;
}

static void doubt_opacity(const struct evidence *evidence, struct warnings *warnings)
{
    bool any_visible = false;
    for (int index = 0; index < evidence->column_count * evidence->row_count; index++)
        any_visible = any_visible || evidence->pixels[index][3];
    if (!any_visible)
        warn(warnings, "image.alpha",
             "the image is transparent all over, and what lies below that is answered: give it without transparency");
    else if (shows_by_opacity(evidence, false) || shows_by_opacity(evidence, true))
        warn(warnings, "image.alpha",
             "what the image shows is in its transparency, which is dropped, and below it there is nearly one colour: lay "
             "it on a background first");
}

static void doubt_colour(const struct evidence *evidence, struct warnings *warnings)
{
    int64_t pixels = (int64_t)evidence->column_count * evidence->row_count, coloured = 0;
    for (int64_t index = 0; index < pixels; index++) {
        const unsigned char *pixel = evidence->pixels[index];
        int highest = larger(pixel[0], larger(pixel[1], pixel[2]));
        int lowest = 255 - larger(255 - pixel[0], larger(255 - pixel[1], 255 - pixel[2]));
        coloured += highest - lowest > COLOURED;
    }
    if (coloured * FEW >= pixels)
        warn(warnings, "image.colour",
             "the image has colours and the network reads grey: check that it is of the kind that it has learned");
}

/* Of an image with 16 bits a channel; of colour no more than the high bytes are kept. */
static void doubt_depth(const struct evidence *evidence, const struct value_window *window, struct warnings *warnings)
{
    unsigned least = evidence->least, most = evidence->most;
    if (!window->high) {
        unsigned likely = 255;
        while (likely < most)
            likely = 2 * likely + 1;
        if (most <= DEPTH)
            warn(warnings, "image.depth",
                 "16-bit image without a value above %u: read as 16 bits, it is almost black; give its range of values as "
                 "input.window, [0, %u] for example", most, likely);
    } else if (!evidence->is_grey) {
        if (window->high - window->low < MOST)
            warn(warnings, "image.window",
                 "16-bit colour, of which the high bytes are read, for a window of %d to %d: expected grey, or 8 bits; "
                 "convert it first", (int)window->low, (int)window->high);
    } else {
        unsigned char *table = malloc(MOST + 1);
        /* A narrow window may cut off what it likes; of an image with more bits it leaves white. */
        bool is_white = most > 2 * (unsigned)window->high + 1 && evidence->above > evidence->under;
        if (table)
            window_table(window, table);
        if (table && (table[most] <= DARK || table[least] >= 255 - DARK || is_white))
            warn(warnings, "image.window",
                 "16-bit image with values from %u to %u, for a window of %d to %d: they do not fit; check the file, or the "
                 "window", least, most, (int)window->low, (int)window->high);
        free(table);
    }
}

static void doubt_size(const struct image *image, const struct preprocessing *how, struct warnings *warnings)
{
    bool narrow = image->width < how->width, low = image->height < how->height;
    if (how->fit == PAD ? narrow && low : narrow || low)
        warn(warnings, "image.small",
             "the image has %lldx%lld pixels and the network reads %lldx%lld: it is magnified; give a larger one",
             (long long)image->width, (long long)image->height, (long long)how->width, (long long)how->height);
}

void doubts(const struct evidence *evidence, const struct bytes *file, const struct preprocessing *how,
            struct image *image)
{
    struct warnings *warnings = &image->warnings;
    int64_t images = count_images(file);
    if (images > 1)
        warn(warnings, "image.pages",
             "the file holds %lld images (pages or frames) and the answer is about the first one: %lld left out; give each "
             "in a file of its own", (long long)images, (long long)images - 1);
    if (evidence->is_deep)
        doubt_depth(evidence, &how->window, warnings);
    else if (how->window.high > 255)
        warn(warnings, "image.window",
             "8-bit image for a window of %d to %d: no value of it is above 255; give the image with all of its bits",
             (int)how->window.low, (int)how->window.high);
    if (evidence->has_alpha)
        doubt_opacity(evidence, warnings);
    if (evidence->has_colour && how->is_grey)
        doubt_colour(evidence, warnings);
    doubt_size(image, how, warnings);
}

void doubt_uniform(const unsigned char *pixels, int channels, int64_t width, int64_t height,
                   const struct preprocessing *how, struct warnings *warnings)
{
    struct placement placement = {{0}, {0, 0, how->width, how->height}};
    if (width != how->width || height != how->height)
        placement = place(width, height, how);
    int widest = 0;
    for (int channel = 0; channel < channels; channel++) {
        int64_t counts[256] = {0};
        for (int64_t row = placement.inner[1]; row < placement.inner[3]; row++)
            for (int64_t column = placement.inner[0]; column < placement.inner[2]; column++)
                counts[pixels[(row * how->width + column) * channels + channel]]++;
        widest = larger(widest, spread(counts));
    }
    if (widest <= NEAR)
        warn(warnings, "image.uniform",
             "the image is nearly of one value: there is nothing in it that the network could see; check the file");
}
