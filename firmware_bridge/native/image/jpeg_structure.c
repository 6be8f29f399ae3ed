#include "jpeg_structure.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "exif.h"

enum { SOF0 = 0xc0, SOF1 = 0xc1, SOF2 = 0xc2, SOF3 = 0xc3, DHT = 0xc4, JPG = 0xc8, SOF9 = 0xc9, SOF10 = 0xca, SOF11 = 0xcb,
       DAC = 0xcc, SOF15 = 0xcf, RST0 = 0xd0, RST7 = 0xd7, EOI = 0xd9, SOS = 0xda, DNL = 0xdc, DHP = 0xde, EXP = 0xdf,
       APP1 = 0xe1, APP15 = 0xef, COM = 0xfe };
enum { COEFFICIENTS = 64, NEVER = 0xff, MOST_COMPONENTS = 4 };

struct span {
    const unsigned char *at;
    size_t count;
};

struct reading {
    struct jpeg_structure *structure;
    bool has_frame, has_scan, is_progressive;
    unsigned char names[MOST_COMPONENTS];
    /* For each coefficient, how many of its low bits are still to come. */
    unsigned char missing[MOST_COMPONENTS][COEFFICIENTS];
    struct span exif, xmp;
};

static const char cut[] = "cut short";

static unsigned two(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static bool is_frame(int code)
{
    return code >= SOF0 && code <= SOF15 && code != DHT && code != JPG && code != DAC;
}

static const char *unsupported(struct reading *reading, const char *format, unsigned number)
{
    snprintf(reading->structure->unsupported, sizeof reading->structure->unsupported, format, number);
    return reading->structure->unsupported;
}

static const char *take_frame(struct reading *reading, int code, const unsigned char *body, size_t count)
{
    struct jpeg_structure *structure = reading->structure;
    if (reading->has_frame)
        return "two frames";
    reading->has_frame = true;
    if (code != SOF0 && code != SOF1 && code != SOF2 && code != SOF9 && code != SOF10)
        return unsupported(reading, code == SOF3 || code == SOF11 ? "lossless JPEG" : "hierarchical JPEG", 0);
    if (count < 6 || count != 6 + 3 * (size_t)body[5])
        return "a frame header of the wrong length";
    if (body[0] != 8)
        return unsupported(reading, "%u-bit JPEG", body[0]);
    structure->height = two(body + 1);
    structure->width = two(body + 3);
    structure->components = body[5];
    if (structure->height == 0)
        return unsupported(reading, "JPEG that gives its height after its pixels", 0);
    if (structure->width == 0)
        return "no pixels";
    if (structure->components != 1 && structure->components != 3 && structure->components != 4)
        return unsupported(reading, "JPEG of %u components", structure->components);
    for (unsigned index = 0; index < structure->components; index++)
        reading->names[index] = body[6 + 3 * index];
    reading->is_progressive = code == SOF2 || code == SOF10;
    memset(reading->missing, NEVER, sizeof reading->missing);
    return NULL;
}

static const char *take_scan(struct reading *reading, const unsigned char *body, size_t count)
{
    if (!reading->has_frame)
        return "a scan before its frame";
    unsigned components = count ? body[0] : 0;
    if (components < 1 || components > MOST_COMPONENTS || count != 2 * (size_t)components + 4)
        return "a scan header of the wrong length";
    unsigned first = body[count - 3], last = body[count - 2], high = body[count - 1] >> 4, low = body[count - 1] & 15;
    if (!reading->is_progressive) { /* some programs write other numbers then */
        first = high = low = 0;
        last = COEFFICIENTS - 1;
    }
    bool is_taken[MOST_COMPONENTS] = {false};
    for (unsigned index = 0; index < components; index++) {
        unsigned component = 0;
        while (component < reading->structure->components &&
               (is_taken[component] || reading->names[component] != body[1 + 2 * index]))
            component++;
        if (component == reading->structure->components)
            return "a scan of a component that the frame has not";
        is_taken[component] = true;
        if (first > last || last >= COEFFICIENTS)
            return "a scan is missing";
        for (unsigned at = first; at <= last; at++) {
            unsigned char *missing = &reading->missing[component][at];
            if ((*missing == NEVER ? 0 : *missing) != high)
                return "a scan is missing";
            *missing = (unsigned char)low;
        }
    }
    reading->has_scan = true;
    return NULL;
}

static void take_metadata(struct reading *reading, const unsigned char *body, size_t count)
{
    static const char xmp[] = "http://ns.adobe.com/xap/1.0/";
    if (reading->has_scan)
        return;
    if (!reading->exif.at && count >= 6 && memcmp(body, "Exif\0\0", 6) == 0)
        reading->exif = (struct span){body, count};
    else if (!reading->xmp.at && count >= sizeof xmp && memcmp(body, xmp, sizeof xmp) == 0)
        reading->xmp = (struct span){body + sizeof xmp, count - sizeof xmp};
}

static const char *take_segment(struct reading *reading, int code, const unsigned char *body, size_t count)
{
    if (is_frame(code) || code == DHP || code == EXP)
        return take_frame(reading, code, body, count);
    if (code == SOS)
        return take_scan(reading, body, count);
    if (code == DNL && (!reading->has_frame || count != 2 || two(body) != reading->structure->height))
        return "two heights";
    if (code == APP1)
        take_metadata(reading, body, count);
    return NULL;
}

/* Go from a scan's entropy-coded data to the marker behind it. */
static const char *skip_data(const struct bytes *file, size_t *at)
{
    const unsigned char *end = file->at + file->count, *byte = file->at + *at;
    while ((byte = memchr(byte, 0xff, (size_t)(end - byte)))) {
        const unsigned char *begin = byte;
        while (byte < end && *byte == 0xff)
            byte++;
        if (byte == end)
            break;
        *at = (size_t)(begin - file->at);
        if (*byte && !(*byte >= RST0 && *byte <= RST7)) /* stuffing, restart markers */
            return NULL;
    }
    return cut;
}

static const char *read_markers(struct reading *reading, const struct bytes *file)
{
    size_t at = 2;
    for (;;) {
        size_t begin = at;
        while (at < file->count && file->at[at] == 0xff)
            at++;
        if (at >= file->count)
            return cut;
        if (at == begin)
            return "no marker where one belongs";
        int code = file->at[at++];
        if (code == EOI) {
            reading->structure->size = at;
            return NULL;
        }
        if (!(is_frame(code) || code == DHT || code == DAC || (code >= SOS && code <= APP15) || code == COM))
            return "a marker where none belongs";
        size_t length = file->count - at < 2 ? 0 : two(file->at + at);
        if (length < 2 || file->count - at < length)
            return cut;
        const char *wrong = take_segment(reading, code, file->at + at + 2, length - 2);
        at += length;
        if (!wrong && code == SOS)
            wrong = skip_data(file, &at);
        if (wrong)
            return wrong;
    }
}

const char *jpeg_structure(struct jpeg_structure *structure, const struct bytes *file)
{
    struct reading reading = {.structure = structure};
    *structure = (struct jpeg_structure){0};
    const char *wrong = read_markers(&reading, file);
    if (wrong)
        return wrong;
    if (!reading.has_scan)
        return "no image in it";
    for (unsigned component = 0; component < structure->components; component++)
        for (int at = 0; at < COEFFICIENTS; at++)
            if (reading.missing[component][at])
                return "a scan is missing";
    structure->orientation = orientation_of(reading.exif.at, reading.exif.count, reading.xmp.at, reading.xmp.count);
    return NULL;
}
