/* JPEG. The structure of the file is jpeg_structure.c's; libjpeg-turbo decodes, and says where it had to make up data. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "decoder.h"
#include "jpeg_structure.h"
#include "memory.h"
#include "preprocess.h"

struct reading {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    unsigned char *line;
    size_t spare; /* zero bytes that the pixels' data has left over: some encoders fill up to a whole number of words */
};

static void on_error(j_common_ptr jpeg)
{
    struct reading *reading = jpeg->client_data;
    reading->errors.format_message(jpeg, reading->message);
    longjmp(reading->jump, 1);
}

/* A warning says that libjpeg had to make up pixels, but for those that are named here. */
static void on_message(j_common_ptr jpeg, int level)
{
    struct reading *reading = jpeg->client_data;
    int code = reading->errors.msg_code;
    if (level >= 0 || code == JWRN_JFIF_MAJOR || code == JWRN_NOT_SEQUENTIAL)
        return;
    if (code == JWRN_EXTRANEOUS_DATA) {
        size_t count = (size_t)reading->errors.msg_parm.i[0], zeros = 0;
        while (zeros < count && reading->source.next_input_byte[-1 - (ptrdiff_t)zeros] == 0)
            zeros++;
        if (zeros == count) {
            reading->spare += count;
            return;
        }
    }
    on_error(jpeg);
}

static void nothing(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

/* There is no more than the buffer: decoding stops, and the image counts as cut short. */
static boolean no_more(j_decompress_ptr jpeg)
{
    (void)jpeg;
    return FALSE;
}

static void skip(j_decompress_ptr jpeg, long count)
{
    size_t left = jpeg->src->bytes_in_buffer, bytes = count < 0 ? 0 : (size_t)count;
    if (bytes > left)
        bytes = left;
    jpeg->src->next_input_byte += bytes;
    jpeg->src->bytes_in_buffer -= bytes;
}

/* Store one row, which has 1, 3 or 4 channels. */
static void store(const unsigned char *line, unsigned layers, const struct decoding *decoding,
                  const struct image *image, size_t row)
{
    size_t columns = (size_t)image->columns, channels = (size_t)image->channels;
    unsigned char *to = image->pixels + row * columns * channels;
    const unsigned char *shown = decoding->shown;
    unsigned char (*sample)[4] = evidence_row(decoding->evidence, (int64_t)row);
    const int64_t *wanted = decoding->evidence->columns, *end = wanted + decoding->evidence->column_count;
    if (layers == channels && !decoding->how->window.high) {
        memcpy(to, line, columns * channels);
        return;
    }
    if (layers == channels) {
        for (size_t index = 0; index < columns * channels; index++)
            to[index] = shown[line[index]];
        return;
    }
    for (size_t column = 0; column < columns; column++, line += layers, to += channels) {
        unsigned char colour[3];
        if (layers == 4) { /* CMYK, inverted as Adobe's programs write it */
            unsigned rest = line[3];
            for (int channel = 0; channel < 3; channel++) {
                unsigned ink = (255u - line[channel]) * rest + 128;
                colour[channel] = (unsigned char)(rest - ((ink >> 8) + ink) / 256);
            }
        } else {
            memcpy(colour, line, 3);
        }
        if (sample && wanted < end && *wanted == (int64_t)column) {
            memcpy(*sample++, colour, 3);
            wanted++;
        }
        for (int channel = 0; channel < 3; channel++)
            colour[channel] = shown[colour[channel]];
        if (channels == 1)
            *to = grey_of(colour[0], colour[1], colour[2]);
        else
            memcpy(to, colour, 3);
    }
}

static const char *read_pixels(struct reading *reading, const struct decoding *decoding, const struct jpeg_structure *structure,
                               struct image *image)
{
    static const char cut[] = "image file is truncated";
    struct jpeg_decompress_struct *jpeg = &reading->jpeg;
    if (setjmp(reading->jump))
        return reading->message;
    jpeg->err = jpeg_std_error(&reading->errors);
    reading->errors.error_exit = on_error;
    reading->errors.emit_message = on_message;
    jpeg->client_data = reading;
    jpeg_create_decompress(jpeg);
    jpeg->client_data = reading; /* kept by it, but not promised */
    reading->source = (struct jpeg_source_mgr){
        .next_input_byte = decoding->data->at, .bytes_in_buffer = structure->size, .init_source = nothing,
        .fill_input_buffer = no_more, .skip_input_data = skip, .resync_to_restart = jpeg_resync_to_restart,
        .term_source = nothing};
    jpeg->src = &reading->source;
    int found;
    do
        found = jpeg_read_header(jpeg, FALSE);
    while (found == JPEG_HEADER_TABLES_ONLY);
    if (found == JPEG_SUSPENDED)
        return cut;
    if (jpeg->image_width != structure->width || jpeg->image_height != structure->height)
        return "two sizes";
    jpeg->out_color_space = structure->components == 1 ? JCS_GRAYSCALE : structure->components == 3 ? JCS_RGB : JCS_CMYK;
    if (image->reduction > 1) {
        jpeg->scale_num = 1;
        jpeg->scale_denom = (unsigned)image->reduction;
    }
    if (!jpeg_start_decompress(jpeg))
        return cut;
    if (jpeg->output_width != image->columns || jpeg->output_height != image->rows ||
        jpeg->output_components != (int)structure->components)
        return "two sizes";
    reading->line = need((size_t)jpeg->output_width * structure->components);
    while (jpeg->output_scanline < jpeg->output_height) {
        size_t row = jpeg->output_scanline;
        if (jpeg_read_scanlines(jpeg, &reading->line, 1) != 1)
            return cut;
        store(reading->line, structure->components, decoding, image, row);
    }
    return jpeg_finish_decompress(jpeg) ? NULL : cut;
}

static bool decode(struct decoding *decoding, struct image *image, struct jpeg_structure *structure)
{
    const char *wrong = jpeg_structure(structure, decoding->data);
    if (*structure->unsupported)
        return fail_as(decoding->failure, "image.unsupported",
                       "%s is a %s, which is not read: expected a baseline or progressive JPEG of 8 bits; convert it first",
                       decoding->name, structure->unsupported);
    if (wrong)
        return damaged(decoding, wrong);
    decoding->orientation = structure->orientation;
    if (!check_size(decoding, structure->width, structure->height))
        return false;
    bool turned = decoding->orientation >= 5 && decoding->orientation <= 8;
    if (!decoding->full_size)
        image->reduction = turned ? reduction_for(structure->height, structure->width, decoding->how)
                                    : reduction_for(structure->width, structure->height, decoding->how);
    image->width = structure->width;
    image->height = structure->height;
    image->columns = (image->width + image->reduction - 1) / image->reduction;
    image->rows = (image->height + image->reduction - 1) / image->reduction;
    image->channels = decoding->how->is_grey || structure->components == 1 ? 1 : 3;
    if (!make_canvas(decoding, image))
        return false;
    evidence_begin(decoding->evidence, image->columns, image->rows);
    decoding->evidence->has_colour = structure->components > 1;
    struct reading *reading = need(sizeof *reading);
    wrong = read_pixels(reading, decoding, structure, image);
    bool done = !wrong || damaged(decoding, wrong);
    if (done && reading->spare)
        warn(&image->warnings, "image.padding", "%zu zero bytes follow the data of the image's pixels; check the file",
             reading->spare);
    jpeg_destroy_decompress(&reading->jpeg);
    free(reading->line);
    free(reading);
    return done;
}

bool jpeg_decode(struct decoding *decoding, struct image *image)
{
    struct jpeg_structure structure;
    return decode(decoding, image, &structure);
}
