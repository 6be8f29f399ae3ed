/* What edge/overlay.py draws, of the same size and with the same pixels; the letters alone come from elsewhere. */
#include "overlay.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "constants.h"
#include "lettering.h"
#include "mask.h"
#include "memory.h"
#include "image.h"
#include "preprocess.h"
#include "resample.h"
#include "text.h"

/* Regions that get a number; pixels of the longer side; of 255; of JPEG. */
enum { SMALLEST = 256, TINT = 56, QUALITY = 90 };
/* A caption's space: pixels about a line, letters' sizes that the notice needs in a row, and letters at most: a JPEG has
   no more than 65,500 pixels in a row. */
enum { MARGIN = 6, LEADING = 7, WIDEST = 34, LETTERS = 200 };

static const unsigned char COLOUR[3] = {0, 255, 80}, BLACK[3], WHITE[3] = {255, 255, 255}, GREY[3] = {170, 170, 170};

/* Which pixel of `from` is shown by each of `to`: the nearest one, added up as Pillow does. */
static int64_t *nearest(int64_t from, int64_t to)
{
    int64_t *pixels = need((size_t)to * sizeof *pixels);
    double step = (double)from / (double)to, at = step * 0.5;
    for (int64_t index = 0; index < to; index++, at += step)
        pixels[index] = (int64_t)at < from ? (int64_t)at : from - 1;
    return pixels;
}

static unsigned char *show_nearest(const unsigned char *pixels, int64_t width, int64_t height, int channels,
                                   const struct canvas *canvas)
{
    int64_t *columns = nearest(width, canvas->columns), *rows = nearest(height, canvas->rows);
    unsigned char *shown = need((size_t)(canvas->columns * canvas->rows * channels)), *to = shown;
    for (int64_t row = 0; row < canvas->rows; row++)
        for (int64_t column = 0; column < canvas->columns; column++, to += channels)
            memcpy(to, pixels + (rows[row] * width + columns[column]) * channels, (size_t)channels);
    free(columns);
    free(rows);
    return shown;
}

/* Fill the canvas with the image. */
static void show_image(const struct canvas *canvas, const struct image *image, bool magnified)
{
    double box[4] = {0, 0, (double)image->columns, (double)image->rows};
    unsigned char *shown = magnified ? show_nearest(image->pixels, image->columns, image->rows, image->channels, canvas)
                                     : resample_bytes(image->pixels, image->columns, image->rows, image->channels,
                                                      box, canvas->columns, canvas->rows);
    if (!shown)
        memory_full();
    for (int64_t index = 0; index < canvas->columns * canvas->rows; index++)
        for (int channel = 0; channel < 3; channel++)
            canvas->pixels[index * 3 + channel] = shown[index * image->channels + (image->channels == 1 ? 0 : channel)];
    free(shown);
}

static unsigned char smaller(int one, int other)
{
    return (unsigned char)(one < other ? one : other);
}

/* Make of a mask how many steps along rows and columns each of its pixels is from the outside or the edge, at most 255;
   0 outside. */
static void measure_depth(unsigned char *mask, int64_t columns, int64_t rows)
{
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++) {
            unsigned char *pixel = mask + row * columns + column;
            int before = smaller(column ? pixel[-1] : 0, row ? pixel[-columns] : 0);
            *pixel = *pixel ? smaller(255, before + 1) : 0;
        }
    for (int64_t row = rows; row-- > 0;)
        for (int64_t column = columns; column-- > 0;) {
            unsigned char *pixel = mask + row * columns + column;
            int after = smaller(column + 1 < columns ? pixel[1] : 0, row + 1 < rows ? pixel[columns] : 0);
            *pixel = smaller(*pixel, after + 1);
        }
}

static void draw_mask(const struct canvas *canvas, const struct outline *outline, int64_t thickness)
{
    unsigned char *whole = mask_pixels(outline);
    if (!whole)
        memory_full();
    unsigned char *depth = show_nearest(whole, outline->width, outline->height, 1, canvas);
    free(whole);
    measure_depth(depth, canvas->columns, canvas->rows);
    for (int64_t index = 0; index < canvas->columns * canvas->rows; index++)
        for (int channel = 0; depth[index] && channel < 3; channel++) {
            unsigned char *pixel = canvas->pixels + index * 3 + channel;
            *pixel = depth[index] <= thickness ? COLOUR[channel] : blend(*pixel, COLOUR[channel], TINT);
        }
    free(depth);
}

static void fill(const struct canvas *canvas, int64_t left, int64_t top, int64_t right, int64_t bottom)
{
    for (int64_t row = top; row < bottom && row < canvas->rows; row++)
        for (int64_t column = left; column < right && column < canvas->columns; column++)
            memcpy(canvas->pixels + (row * canvas->columns + column) * 3, BLACK, 3);
}

/* Write number and score of each region above its box, inside of the image; the largest on top. */
static void draw_numbers(const struct canvas *canvas, const struct outline *outline, int64_t size)
{
    double across = (double)canvas->columns / (double)outline->width, down = (double)canvas->rows / (double)outline->height;
    size_t count = outline->region_count < LABELLED ? outline->region_count : LABELLED;
    for (size_t index = count; index-- > 0;) {
        const struct region *region = &outline->regions[index];
        struct text words = {0};
        text_print(&words, "%zu: %.2f", index + 1, region->score);
        int64_t width = lettering_width(words.at, size), right = canvas->columns - width - 4;
        int64_t left = (int64_t)((double)region->box[0] * across);
        int64_t top = (int64_t)((double)region->box[1] * down) - size - MARGIN;
        left = left < right ? left : right;
        left = left > 0 ? left : 0;
        top = top > 0 ? top : 0;
        fill(canvas, left, top, left + width + 4, top + size + 4);
        lettering_draw(canvas, words.at, size, left + 2, top + 1, COLOUR);
        text_free(&words);
    }
}

/* The first letters of `words`; the caller frees them. */
static char *cut(const char *words)
{
    const char *at = words, *end = words + strlen(words);
    for (int letters = 0; letters < LETTERS && at < end; letters++)
        next_letter(&at, end);
    char *shown = need_copy(words);
    shown[at - words] = 0;
    return shown;
}

/* Return the canvas with the lines below it, the first one bright. */
static struct canvas with_captions(const struct canvas *canvas, const char *const *captions, int64_t size)
{
    int64_t width = WIDEST * size, lines = 0, step = size * 6 / 5 + LEADING;
    while (captions[lines])
        lines++;
    char **shown = need((size_t)lines * sizeof *shown);
    for (int64_t line = 0; line < lines; line++) {
        shown[line] = cut(captions[line]);
        if (lettering_width(shown[line], size) > width)
            width = lettering_width(shown[line], size);
    }
    width += 2 * MARGIN;
    struct canvas whole = {.columns = canvas->columns > width ? canvas->columns : width,
                           .rows = canvas->rows + step * lines + MARGIN};
    whole.pixels = need((size_t)(whole.columns * whole.rows * 3));
    for (int64_t row = 0; row < canvas->rows; row++)
        memcpy(whole.pixels + row * whole.columns * 3, canvas->pixels + row * canvas->columns * 3,
               (size_t)canvas->columns * 3);
    for (int64_t line = 0; line < lines; line++)
        lettering_draw(&whole, shown[line], size, MARGIN, canvas->rows + 4 + line * step, line ? GREY : WHITE);
    for (int64_t line = 0; line < lines; line++)
        free(shown[line]);
    free(shown);
    return whole;
}

struct encoding {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf jump;
    unsigned char *bytes;
    unsigned long count;
};

static void on_error(j_common_ptr jpeg)
{
    longjmp(((struct encoding *)jpeg->client_data)->jump, 1);
}

static void encode(const struct canvas *canvas, struct text *text)
{
    struct encoding *encoding = need(sizeof *encoding);
    struct jpeg_compress_struct *jpeg = &encoding->jpeg;
    jpeg->err = jpeg_std_error(&encoding->errors);
    encoding->errors.error_exit = on_error;
    jpeg->client_data = encoding;
    if (setjmp(encoding->jump)) /* nothing but memory can be missing */
        memory_full();
    jpeg_create_compress(jpeg);
    jpeg_mem_dest(jpeg, &encoding->bytes, &encoding->count);
    jpeg->image_width = (JDIMENSION)canvas->columns;
    jpeg->image_height = (JDIMENSION)canvas->rows;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, QUALITY, TRUE);
    jpeg->comp_info[0].h_samp_factor = jpeg->comp_info[0].v_samp_factor = 1; /* thin lines need all the colour */
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = canvas->pixels + (size_t)jpeg->next_scanline * (size_t)canvas->columns * 3;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
    jpeg_destroy_compress(jpeg);
    text_add(text, encoding->bytes, encoding->count);
    free(encoding->bytes);
    free(encoding);
}

static int64_t scaled(int64_t pixels, double scale)
{
    double value = rint((double)pixels * scale); /* to even, as Python's round */
    return value < 1 ? 1 : (int64_t)value;
}

bool overlay_jpeg(const struct bytes *data, const char *name, const struct outline *outline,
                  const char *const *captions, struct text *jpeg, struct failure *failure)
{
    /* JPEGs far larger than the overlay need not be decoded in full. */
    struct preprocessing decoded = {.height = LARGEST / 2, .width = LARGEST / 2, .channels = 3, .window = outline->window};
    struct image image;
    if (!image_decode(&image, data, name, &decoded, false, (uint64_t)(outline->width * outline->height), failure))
        return false;
    int64_t longer = image.width > image.height ? image.width : image.height;
    double scale = longer > LARGEST ? (double)LARGEST / (double)longer : (double)(SMALLEST / longer);
    scale = scale > 1 || longer > LARGEST ? scale : 1;
    struct canvas canvas = {.columns = scaled(image.width, scale), .rows = scaled(image.height, scale)};
    canvas.pixels = need((size_t)(canvas.columns * canvas.rows * 3));
    show_image(&canvas, &image, scale > 1);
    image_free(&image);
    int64_t side = canvas.columns > canvas.rows ? canvas.columns : canvas.rows;
    int64_t thickness = side / 400 > 2 ? side / 400 : 2, size = side / 50 > 14 ? side / 50 : 14;
    draw_mask(&canvas, outline, thickness);
    draw_numbers(&canvas, outline, size);
    struct canvas whole = with_captions(&canvas, captions, size);
    free(canvas.pixels);
    encode(&whole, jpeg);
    free(whole.pixels);
    return true;
}
