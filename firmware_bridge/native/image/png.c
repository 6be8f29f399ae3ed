/* PNG. libpng gets the header, the pixels and nothing else; the structure of the file is png_chunks.c's. */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"
#include "memory.h"
#include "png_chunks.h"
#include "preprocess.h"

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGBA = 6, LAST_PASS = 6 };

/* Adam7: where the pixels of a pass lie. */
static const struct {
    uint32_t column, row, columns, rows;
} PASSES[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

struct reading {
    struct png_header header;
    struct image *image;
    struct decoding *decoding;
    png_struct *png;
    png_info *info;
    jmp_buf jump;
    char message[100];
    uint64_t rows_left;
    bool is_deep_grey; /* 16 bits, all of them read */
    unsigned char deep[MOST + 1]; /* what they become in the network's window */
    bool is_strange; /* a pixel is none of the palette's colours */
};

static void on_error(png_struct *png, const char *message)
{
    struct reading *reading = png_get_error_ptr(png);
    strncpy(reading->message, message, sizeof reading->message - 1);
    longjmp(reading->jump, 1);
}

static void on_warning(png_struct *png, const char *message)
{
    (void)png;
    (void)message;
}

static void on_header(png_struct *png, png_info *info)
{
    png_set_packing(png);
    const struct reading *reading = png_get_progressive_ptr(png);
    if (!reading->is_deep_grey)
        png_set_strip_16(png); /* the high byte */
    png_read_update_info(png, info);
}

/* Red, green, blue and opacity of a pixel of 8-bit samples. */
static void as_colour(const struct reading *reading, const unsigned char *pixel, unsigned char colour[4])
{
    static const unsigned spread[] = {0, 255, 85, 0, 17, 0, 0, 0, 1};
    const struct png_header *header = &reading->header;
    unsigned kind = header->colour, factor = header->depth < 8 ? spread[header->depth] : 1;
    colour[3] = kind == GREY_ALPHA ? pixel[1] : kind == RGBA ? pixel[3] : kind == PALETTE ? header->opacity[pixel[0]] : 255;
    if (kind == GREY || kind == GREY_ALPHA)
        memset(colour, (unsigned char)(pixel[0] * factor), 3);
    else
        memcpy(colour, kind == PALETTE ? header->palette[pixel[0]] : pixel, 3);
}

/* Take from a row of a pass, which begins at `column` of the image and goes on in steps, what the sample wants. */
static void take_sample(struct reading *reading, const unsigned char *row, uint32_t number, uint32_t column, uint32_t step,
                        unsigned channels)
{
    struct evidence *evidence = reading->decoding->evidence;
    unsigned char (*sample)[4] = evidence_row(evidence, number);
    for (int index = 0; sample && index < evidence->column_count; index++) {
        uint32_t wanted = (uint32_t)evidence->columns[index];
        if (wanted >= column && (wanted - column) % step == 0)
            as_colour(reading, row + (size_t)((wanted - column) / step) * channels, sample[index]);
    }
}

/* Keep the lowest and the highest of a row's values of 16 bits, opacity left out. */
static void take_depth(struct reading *reading, const unsigned char *row, uint32_t pixels, unsigned channels)
{
    struct evidence *evidence = reading->decoding->evidence;
    unsigned colours = reading->is_deep_grey ? 1 : channels < 3 ? 1 : 3, wide = reading->is_deep_grey ? 2 : channels;
    int64_t high = reading->decoding->how->window.high;
    for (uint32_t index = 0; index < pixels; index++, row += wide)
        for (unsigned channel = 0; channel < colours; channel++) {
            unsigned least = 256u * row[channel] + (reading->is_deep_grey ? row[1] : 0);
            unsigned most = reading->is_deep_grey ? least : least + 255;
            evidence->least = least < evidence->least ? least : evidence->least;
            evidence->most = most > evidence->most ? most : evidence->most;
            *((int64_t)most > high ? &evidence->above : &evidence->under) += 1;
        }
}

/* Store one row of a pass: samples of 1 to 4 channels, of 8 bits unless the image is deep and grey. */
static void on_row(png_struct *png, png_byte *row, png_uint_32 number, int pass)
{
    struct reading *reading = png_get_progressive_ptr(png);
    const struct png_header *header = &reading->header;
    uint32_t column = 0, step = 1;
    if (!row || !reading->rows_left)
        return;
    if (header->interlaced) {
        if (pass < 0 || pass > LAST_PASS)
            return;
        number = PASSES[pass].row + number * PASSES[pass].rows;
        column = PASSES[pass].column;
        step = PASSES[pass].columns;
    }
    if (number >= header->height)
        return;
    unsigned channels = header->colour == GREY_ALPHA ? 2 : header->colour == RGB ? 3 : header->colour == RGBA ? 4 : 1;
    size_t stored = (size_t)reading->image->channels;
    unsigned char *line = reading->image->pixels + (size_t)number * header->width * stored;
    if (header->depth == 16 && column < header->width)
        take_depth(reading, row, (header->width - column + step - 1) / step, channels);
    if (!reading->is_deep_grey)
        take_sample(reading, row, number, column, step, channels);
    if (step == 1 && header->depth >= 8 && !reading->is_deep_grey && channels == stored && header->colour != PALETTE &&
        !reading->decoding->how->window.high) {
        memcpy(line, row, (size_t)header->width * channels); /* they lie as the image has them */
        column = header->width;
    }
    for (uint32_t index = column; header->colour == PALETTE && index < header->width; index += step)
        reading->is_strange = reading->is_strange || row[(index - column) / step] >= header->colours;
    const unsigned char *shown = reading->decoding->shown;
    for (; column < header->width; column += step, row += reading->is_deep_grey ? 2 : channels) {
        unsigned char *to = line + (size_t)column * stored, colour[4];
        if (reading->is_deep_grey) {
            *to = reading->deep[row[0] << 8 | row[1]];
            continue;
        }
        as_colour(reading, row, colour);
        for (int channel = 0; channel < 3; channel++)
            colour[channel] = shown[colour[channel]];
        if (stored == 3)
            memcpy(to, colour, 3);
        else
            *to = channels <= 2 && header->colour != PALETTE ? colour[0] : grey_of(colour[0], colour[1], colour[2]);
    }
    reading->rows_left--;
}

static uint64_t rows_of(const struct png_header *header)
{
    if (!header->interlaced)
        return header->height;
    uint64_t rows = 0;
    for (int pass = 0; pass <= LAST_PASS; pass++)
        if (header->width > PASSES[pass].column && header->height > PASSES[pass].row)
            rows += (header->height - PASSES[pass].row + PASSES[pass].rows - 1) / PASSES[pass].rows;
    return rows;
}

static void give(struct reading *reading, const void *bytes, size_t count)
{
    png_process_data(reading->png, reading->info, (png_byte *)bytes, count);
}

static void give_chunk_head(struct reading *reading, uint32_t length, const char *name)
{
    unsigned char head[8] = {(unsigned char)(length >> 24), (unsigned char)(length >> 16), (unsigned char)(length >> 8),
                             (unsigned char)length};
    memcpy(head + 4, name, 4);
    give(reading, head, 8);
}

static void give_header(struct reading *reading)
{
    const struct png_header *header = &reading->header;
    static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, sum[4];
    unsigned char data[13] = {0};
    for (int index = 0; index < 4; index++) {
        data[index] = (unsigned char)(header->width >> (24 - 8 * index));
        data[4 + index] = (unsigned char)(header->height >> (24 - 8 * index));
    }
    data[8] = (unsigned char)header->depth;
    data[9] = (unsigned char)header->colour;
    data[12] = (unsigned char)header->interlaced;
    give(reading, signature, 8);
    give_chunk_head(reading, 13, "IHDR");
    give(reading, data, 13);
    give(reading, sum, 4); /* no checksum: `begin` lets libpng leave them to png_chunks.c */
    if (header->colour == PALETTE) {
        static const unsigned char black[256 * 3]; /* libpng wants one; the real one is used in `on_row` */
        uint32_t length = 3u << header->depth;
        give_chunk_head(reading, length, "PLTE");
        give(reading, black, length);
        give(reading, sum, 4);
    }
}

static bool begin(struct reading *reading)
{
    reading->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reading, on_error, on_warning);
    reading->info = reading->png ? png_create_info_struct(reading->png) : NULL;
    if (!reading->info)
        return false;
    /* png_chunks.c has looked at the checksums. */
    png_set_crc_action(reading->png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
    png_set_user_limits(reading->png, 0x7fffffff, 0x7fffffff); /* ours are checked before */
    png_set_progressive_read_fn(reading->png, reading, on_header, on_row, NULL);
    return true;
}

/* Decode the IDAT chunks of a file whose structure is right. */
static bool read_pixels(struct reading *reading, const struct bytes *file)
{
    struct chunk chunk = {0};
    size_t at = 8;
    if (!begin(reading))
        memory_full();
    if (setjmp(reading->jump))
        return reading->rows_left == 0;
    give_header(reading);
    while (reading->rows_left && strcmp(chunk.name, "IEND") != 0 && !chunk_next(file, &at, &chunk))
        if (strcmp(chunk.name, "IDAT") == 0) {
            give_chunk_head(reading, chunk.length, "IDAT");
            give(reading, chunk.data, chunk.length);
            give(reading, "\0\0\0", 4);
        }
    return reading->rows_left == 0;
}

/* What the rows are read with. */
static void prepare(struct reading *reading)
{
    struct png_header *header = &reading->header;
    struct decoding *decoding = reading->decoding;
    struct evidence *evidence = decoding->evidence;
    evidence_begin(evidence, header->width, header->height);
    evidence->is_deep = header->depth == 16;
    evidence->is_grey = header->colour == GREY;
    evidence->has_colour = header->colour == RGB || header->colour == PALETTE || header->colour == RGBA;
    evidence->has_alpha = header->colour == GREY_ALPHA || header->colour == RGBA ||
                          header->has_opacity;
    reading->is_deep_grey = evidence->is_deep && evidence->is_grey;
    if (reading->is_deep_grey)
        window_table(&decoding->how->window, reading->deep);
    else if (evidence->is_deep)
        window_bytes(&decoding->how->window, true, decoding->shown);
}

static bool decode(struct decoding *decoding, struct image *image, struct reading *reading)
{
    struct png_header *header = &reading->header;
    char unknown[5] = "";
    const char *wrong = png_structure(header, decoding->data, unknown);
    if (*unknown)
        return fail_as(decoding->failure, "image.unsupported",
                       "%s has a critical chunk %s, which is not read: expected a PNG by its standard; convert it first",
                       decoding->name, unknown);
    if (wrong)
        return damaged(decoding, wrong);
    decoding->orientation = header->orientation;
    if (!check_size(decoding, header->width, header->height))
        return false;
    image->columns = image->width = header->width;
    image->rows = image->height = header->height;
    image->channels = decoding->how->is_grey || header->colour == GREY || header->colour == GREY_ALPHA ? 1 : 3;
    if (!make_canvas(decoding, image))
        return false;
    prepare(reading);
    reading->rows_left = rows_of(header);
    if (!read_pixels(reading, decoding->data))
        return damaged(decoding, reading->message[0] ? reading->message : "the pixels end before the last row");
    return !reading->is_strange || damaged(decoding, "a pixel of a colour that the palette has not");
}

bool png_decode(struct decoding *decoding, struct image *image)
{
    struct reading *reading = need(sizeof *reading);
    reading->image = image;
    reading->decoding = decoding;
    bool done = decode(decoding, image, reading);
    if (reading->png)
        png_destroy_read_struct(&reading->png, &reading->info, NULL);
    free(reading);
    return done;
}
