/* JPEG. The markers before the pixels are read here as strictly as Pillow reads them; libjpeg-turbo decodes. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "decoder.h"
#include "exif.h"
#include "memory.h"
#include "preprocess.h"

enum { SOF0 = 0xc0, DHT = 0xc4, JPG = 0xc8, DAC = 0xcc, SOF15 = 0xcf, SOS = 0xda, DQT = 0xdb, DHP = 0xde, EXP = 0xdf,
       APP0 = 0xe0, APP1 = 0xe1, APP15 = 0xef, COM = 0xfe };

/* What the markers say. */
struct markers {
    unsigned width, height, layers;
    bool has_scan, has_density;
    struct bytes exif; /* owned: all its parts, one after another */
    const unsigned char *xmp;
    size_t xmp_count;
};

static const char *take_frame(struct markers *markers, const unsigned char *data, size_t count)
{
    if (count < 6)
        return "index out of range";
    markers->height = (unsigned)data[1] << 8 | data[2];
    markers->width = (unsigned)data[3] << 8 | data[4];
    markers->layers = data[5];
    if (data[0] != 8)
        return "cannot handle layers that are not of 8 bits";
    if (markers->layers != 1 && markers->layers != 3 && markers->layers != 4)
        return "cannot handle so many layers";
    return count % 3 ? "index out of range" : NULL;
}

static const char *hold_tables(const unsigned char *data, size_t count)
{
    while (count) {
        size_t length = 1 + (data[0] / 16 == 0 ? 64 : 128);
        if (count < length)
            return "bad quantization table marker";
        data += length;
        count -= length;
    }
    return NULL;
}

static const char *take_application(struct markers *markers, int marker, const unsigned char *data, size_t count)
{
    static const char xmp[] = "http://ns.adobe.com/xap/1.0/";
    if (marker == APP0 && count >= 4 && memcmp(data, "JFIF", 4) == 0) {
        if (count < 7)
            return "a damaged JFIF marker";
        markers->has_density = markers->has_density || (count >= 12 && (data[7] == 1 || data[7] == 2));
    } else if (marker == APP1 && count >= 6 && memcmp(data, "Exif\0\0", 6) == 0) {
        size_t skip = markers->exif.at ? 6 : 0;
        markers->exif.at = need_more(markers->exif.at, markers->exif.count + count);
        memcpy(markers->exif.at + markers->exif.count, data + skip, count - skip);
        markers->exif.count += count - skip;
    } else if (marker == APP1 && count >= sizeof xmp && memcmp(data, xmp, sizeof xmp) == 0) {
        markers->xmp = data + sizeof xmp;
        markers->xmp_count = count - sizeof xmp;
    }
    return NULL;
}

static const char *take_marker(struct markers *markers, int marker, const unsigned char *data, size_t count)
{
    bool is_frame = marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
    if (is_frame || marker == DHP)
        return take_frame(markers, data, count);
    if (marker == DQT)
        return hold_tables(data, count);
    if (marker >= APP0 && marker <= APP15)
        return take_application(markers, marker, data, count);
    return NULL;
}

/* Whether a segment with a length follows the marker. */
static bool has_segment(int marker)
{
    return (marker >= SOF0 && marker <= SOF15 && marker != JPG) || (marker >= SOS && marker <= APP15) || marker == COM;
}

static const char *read_markers(struct markers *markers, const struct bytes *file)
{
    size_t at = 2; /* the 0xFF after the beginning */
    while (at < file->count) {
        if (file->at[at] != 0xff) { /* junk */
            at++;
            continue;
        }
        if (++at == file->count)
            return NULL;
        int marker = file->at[at];
        if (marker == 0xff)
            continue; /* padding */
        at++;
        if (marker == 0)
            continue; /* junk as well */
        if (marker < SOF0)
            return "no marker found";
        if (!has_segment(marker))
            continue;
        if (file->count - at < 2)
            return "a marker without a length";
        size_t length = (size_t)file->at[at] << 8 | file->at[at + 1], count = length < 2 ? 0 : length - 2;
        at += 2;
        if (file->count - at < count)
            return "Truncated File Read";
        const char *wrong = take_marker(markers, marker, file->at + at, count);
        if (wrong)
            return wrong;
        at += count;
        if (marker == SOS) {
            markers->has_scan = true;
            return NULL;
        }
    }
    return NULL;
}

/* EXIF data that is none is an error to Pillow only where it did not look into it for the density before. */
static bool find_orientation(const struct markers *markers, int *orientation)
{
    *orientation = -1;
    if (markers->exif.at && !exif_orientation(markers->exif.at, markers->exif.count, orientation))
        return !markers->has_density;
    if (*orientation < 0 && markers->xmp)
        *orientation = xmp_orientation(markers->xmp, markers->xmp_count);
    return true;
}

struct reading {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    unsigned char *line;
};

static void on_error(j_common_ptr jpeg)
{
    struct reading *reading = jpeg->client_data;
    reading->errors.format_message(jpeg, reading->message);
    longjmp(reading->jump, 1);
}

static void on_message(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void nothing(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

/* There is no more than the buffer: decoding stops, and the picture counts as cut short. */
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
                  const struct picture *picture, size_t row)
{
    size_t columns = (size_t)picture->columns, planes = (size_t)picture->planes;
    unsigned char *to = picture->pixels + row * columns * planes;
    const unsigned char *shown = decoding->shown;
    unsigned char (*sample)[4] = evidence_row(decoding->evidence, (int64_t)row);
    const int64_t *wanted = decoding->evidence->columns, *end = wanted + decoding->evidence->column_count;
    if (layers == planes && !decoding->how->window.high) {
        memcpy(to, line, columns * planes);
        return;
    }
    if (layers == planes) {
        for (size_t index = 0; index < columns * planes; index++)
            to[index] = shown[line[index]];
        return;
    }
    for (size_t column = 0; column < columns; column++, line += layers, to += planes) {
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
        if (planes == 1)
            *to = grey_of(colour[0], colour[1], colour[2]);
        else
            memcpy(to, colour, 3);
    }
}

static const char *read_pixels(struct reading *reading, const struct decoding *decoding, const struct markers *markers,
                               struct picture *picture)
{
    static const char cut[] = "image file is truncated";
    struct jpeg_decompress_struct *jpeg = &reading->jpeg;
    if (setjmp(reading->jump))
        return reading->message;
    jpeg->err = jpeg_std_error(&reading->errors);
    reading->errors.error_exit = on_error;
    reading->errors.output_message = on_message;
    jpeg->client_data = reading;
    jpeg_create_decompress(jpeg);
    jpeg->client_data = reading; /* kept by it, but not promised */
    reading->source = (struct jpeg_source_mgr){
        .next_input_byte = decoding->data->at, .bytes_in_buffer = decoding->data->count, .init_source = nothing,
        .fill_input_buffer = no_more, .skip_input_data = skip, .resync_to_restart = jpeg_resync_to_restart,
        .term_source = nothing};
    jpeg->src = &reading->source;
    int found;
    do
        found = jpeg_read_header(jpeg, FALSE);
    while (found == JPEG_HEADER_TABLES_ONLY);
    if (found == JPEG_SUSPENDED)
        return cut;
    if (jpeg->image_width != markers->width || jpeg->image_height != markers->height)
        return "two sizes";
    jpeg->out_color_space = markers->layers == 1 ? JCS_GRAYSCALE : markers->layers == 3 ? JCS_RGB : JCS_CMYK;
    if (picture->reduction > 1) {
        jpeg->scale_num = 1;
        jpeg->scale_denom = (unsigned)picture->reduction;
    }
    if (!jpeg_start_decompress(jpeg))
        return cut;
    if (jpeg->output_width != picture->columns || jpeg->output_height != picture->rows ||
        jpeg->output_components != (int)markers->layers)
        return "two sizes";
    reading->line = need((size_t)jpeg->output_width * markers->layers);
    while (jpeg->output_scanline < jpeg->output_height) {
        size_t row = jpeg->output_scanline;
        if (jpeg_read_scanlines(jpeg, &reading->line, 1) != 1)
            return cut;
        store(reading->line, markers->layers, decoding, picture, row);
    }
    jpeg_finish_decompress(jpeg); /* where it meets the end too early, all rows are there all the same */
    return NULL;
}

static bool decode(struct decoding *decoding, struct picture *picture, struct markers *markers)
{
    const char *wrong = read_markers(markers, decoding->data);
    if (wrong)
        return damaged(decoding, wrong);
    if (!hold_size(decoding, markers->width, markers->height))
        return false;
    if (!find_orientation(markers, &decoding->orientation))
        return damaged(decoding, "not a TIFF file");
    if (!markers->has_scan)
        return damaged(decoding, "cannot load this image");
    bool turned = decoding->orientation >= 5 && decoding->orientation <= 8;
    if (!decoding->full_size)
        picture->reduction = turned ? reduction_for(markers->height, markers->width, decoding->how)
                                    : reduction_for(markers->width, markers->height, decoding->how);
    picture->width = markers->width;
    picture->height = markers->height;
    picture->columns = (picture->width + picture->reduction - 1) / picture->reduction;
    picture->rows = (picture->height + picture->reduction - 1) / picture->reduction;
    picture->planes = decoding->how->is_grey || markers->layers == 1 ? 1 : 3;
    if (!make_canvas(decoding, picture))
        return false;
    evidence_begin(decoding->evidence, picture->columns, picture->rows);
    decoding->evidence->has_colour = markers->layers > 1;
    struct reading *reading = need(sizeof *reading);
    wrong = read_pixels(reading, decoding, markers, picture);
    bool done = !wrong || damaged(decoding, wrong);
    jpeg_destroy_decompress(&reading->jpeg);
    free(reading->line);
    free(reading);
    return done;
}

bool jpeg_decode(struct decoding *decoding, struct picture *picture)
{
    struct markers markers = {0};
    bool done = decode(decoding, picture, &markers);
    free(markers.exif.at);
    return done;
}
