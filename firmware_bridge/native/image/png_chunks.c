#include "png_chunks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "constants.h"
#include "exif.h"
#include "memory.h"

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, SIGNATURE = 8, HIGHEST = 0x7fffffff };

/* Metadata: a part of the file, or unpacked and owned. */
struct metadata {
    const unsigned char *at;
    size_t count;
    unsigned char *owned;
};

struct reading {
    struct png_header *header;
    char last[5];
    bool has_palette, has_pixels, has_opacity;
    struct metadata exif, profile, xmp;
};

static uint32_t four(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

const char *chunk_next(const struct bytes *file, size_t *at, struct chunk *chunk)
{
    *chunk = (struct chunk){0};
    if (file->count - *at < 12)
        return "cut short";
    const unsigned char *head = file->at + *at;
    chunk->length = four(head);
    memcpy(chunk->name, head + 4, 4);
    chunk->data = head + 8;
    for (int index = 0; index < 4; index++)
        if (!isalpha((unsigned char)chunk->name[index]))
            return "no chunk where one belongs";
    if (chunk->length > HIGHEST)
        return "no chunk where one belongs";
    if (file->count - *at - 12 < chunk->length)
        return "cut short";
    if (crc32(crc32(0, head + 4, 4), chunk->data, chunk->length) != four(chunk->data + chunk->length))
        return "a chunk with a wrong checksum";
    *at += 12 + (size_t)chunk->length;
    return NULL;
}

static const char *take_header(struct png_header *header, const struct chunk *chunk)
{
    if (chunk->length != 13)
        return "a header of the wrong length";
    header->width = four(chunk->data);
    header->height = four(chunk->data + 4);
    header->depth = chunk->data[8];
    header->colour = chunk->data[9];
    header->interlaced = chunk->data[12];
    unsigned depth = header->depth, colour = header->colour;
    bool fits = depth == 8 || (depth == 16 && colour != PALETTE) ||
                ((depth == 1 || depth == 2 || depth == 4) && (colour == GREY || colour == PALETTE));
    if (!fits || colour > 6 || colour == 1 || colour == 5 || chunk->data[10] || chunk->data[11] || header->interlaced > 1 ||
        header->width - 1 >= HIGHEST || header->height - 1 >= HIGHEST)
        return "a header that means nothing";
    return NULL;
}

static const char *take_palette(struct reading *reading, const struct chunk *chunk)
{
    struct png_header *header = reading->header;
    if (reading->has_palette || reading->has_pixels)
        return "a chunk PLTE out of place";
    reading->has_palette = true;
    if (header->colour != PALETTE)
        return NULL;
    if (chunk->length % 3 || chunk->length == 0 || chunk->length / 3 > 256)
        return "a palette of the wrong length";
    header->colours = chunk->length / 3;
    memcpy(header->palette, chunk->data, chunk->length);
    return NULL;
}

/* One that is of the wrong length or in the wrong place is left out. */
static void take_opacity(struct reading *reading, const struct chunk *chunk)
{
    struct png_header *header = reading->header;
    if (header->colour != PALETTE || reading->has_pixels || reading->has_opacity || chunk->length == 0 ||
        chunk->length > header->colours)
        return;
    reading->has_opacity = header->has_opacity = true;
    memcpy(header->opacity, chunk->data, chunk->length);
}

/* Unpack at most LONGEST_METADATA bytes; nothing where they are nonsense. */
static void unpack(struct metadata *to, const unsigned char *from, size_t count)
{
    to->owned = need(LONGEST_METADATA);
    to->at = to->owned;
    z_stream stream = {.next_in = (Bytef *)from, .avail_in = (uInt)count, .next_out = to->owned, .avail_out = LONGEST_METADATA};
    if (inflateInit(&stream) != Z_OK)
        memory_full();
    int result = inflate(&stream, Z_SYNC_FLUSH);
    to->count = result < 0 && result != Z_BUF_ERROR ? 0 : stream.total_out;
    inflateEnd(&stream);
}

/* The text that follows a key, unpacked where it is packed; empty where it is nonsense. */
static void take_text(struct metadata *to, const char *name, const unsigned char *at, size_t count)
{
    bool packed = strcmp(name, "zTXt") == 0;
    to->at = at;
    if (strcmp(name, "iTXt") == 0) {
        const unsigned char *end = at + count, *language = count >= 2 ? memchr(at + 2, 0, count - 2) : NULL;
        const unsigned char *title = language ? memchr(language + 1, 0, (size_t)(end - language - 1)) : NULL;
        if (!title || at[0] > 1 || at[1])
            return;
        packed = at[0];
        at = title + 1;
        count = (size_t)(end - at);
    } else if (packed) {
        if (count == 0 || at[0])
            return;
        at++;
        count--;
    }
    if (packed)
        unpack(to, at, count);
    else
        *to = (struct metadata){at, count, NULL};
}

/* Take a text by its key, where it can hold an orientation; the first one of its kind counts. */
static void take_keyed(struct reading *reading, const struct chunk *chunk)
{
    static const char xmp[] = "XML:com.adobe.xmp", profile[] = "Raw profile type exif"; /* ImageMagick's */
    const struct {
        struct metadata *to;
        const char *key;
        size_t length;
    } kinds[] = {{&reading->xmp, xmp, sizeof xmp - 1}, {&reading->profile, profile, sizeof profile - 1}};
    for (int index = 0; index < 2; index++) {
        size_t length = kinds[index].length;
        if (kinds[index].to->at || chunk->length < length || memcmp(chunk->data, kinds[index].key, length) != 0 ||
            (chunk->length > length && chunk->data[length]))
            continue;
        size_t begin = chunk->length > length ? length + 1 : length;
        take_text(kinds[index].to, chunk->name, chunk->data + begin, chunk->length - begin);
    }
}

static const char *take(struct reading *reading, const struct chunk *chunk)
{
    const char *name = chunk->name;
    bool is_first = !reading->last[0];
    if (is_first != (strcmp(name, "IHDR") == 0))
        return is_first ? "no header" : "a chunk IHDR out of place";
    if (is_first)
        return take_header(reading->header, chunk);
    if (strcmp(name, "PLTE") == 0)
        return take_palette(reading, chunk);
    if (strcmp(name, "IDAT") == 0) {
        if (reading->has_pixels && strcmp(reading->last, "IDAT") != 0)
            return "a chunk IDAT out of place";
        reading->has_pixels = true;
    } else if (strcmp(name, "tRNS") == 0) {
        take_opacity(reading, chunk);
    } else if (strcmp(name, "eXIf") == 0 && !reading->exif.at) {
        reading->exif = (struct metadata){chunk->data, chunk->length, NULL};
    } else if (strcmp(name, "tEXt") == 0 || strcmp(name, "zTXt") == 0 || strcmp(name, "iTXt") == 0) {
        take_keyed(reading, chunk);
    }
    return NULL;
}

/* In place of ImageMagick's text, what the hexadecimal digits from its fourth line on stand for. */
static void from_digits(struct metadata *profile)
{
    size_t count = profile->count < LONGEST_METADATA ? profile->count : LONGEST_METADATA, at = 0, digits = 0;
    for (int lines = 0; lines < 3; lines++) {
        const unsigned char *end = memchr(profile->at + at, '\n', count - at);
        at = end ? (size_t)(end - profile->at) + 1 : count;
    }
    unsigned char *bytes = need(count / 2 + 1);
    bool fine = true;
    for (; at < count; at++) {
        int letter = profile->at[at];
        if (letter == ' ' || (letter >= '\t' && letter <= '\r'))
            continue;
        fine = fine && isxdigit(letter);
        unsigned value = (unsigned)(isdigit(letter) ? letter - '0' : tolower(letter) - 'a' + 10) & 15;
        bytes[digits / 2] = (unsigned char)(bytes[digits / 2] << 4 | value);
        digits++;
    }
    if (!fine)
        bytes[0] = '?'; /* no EXIF data */
    free(profile->owned);
    *profile = (struct metadata){bytes, fine ? digits / 2 : 1, bytes};
}

static const char *read_chunks(struct reading *reading, const struct bytes *file, char unknown[5])
{
    struct chunk chunk;
    size_t at = SIGNATURE;
    do {
        const char *wrong = chunk_next(file, &at, &chunk);
        if (wrong)
            return wrong;
        if (isupper((unsigned char)chunk.name[0]) && strcmp(chunk.name, "IHDR") != 0 && strcmp(chunk.name, "PLTE") != 0 &&
            strcmp(chunk.name, "IDAT") != 0 && strcmp(chunk.name, "IEND") != 0) {
            memcpy(unknown, chunk.name, sizeof chunk.name);
            return "an unknown critical chunk";
        }
        wrong = take(reading, &chunk);
        if (wrong)
            return wrong;
        memcpy(reading->last, chunk.name, sizeof chunk.name);
    } while (strcmp(chunk.name, "IEND") != 0);
    if (reading->header->colour == PALETTE && !reading->header->colours)
        return "no palette";
    return reading->has_pixels ? NULL : "no pixels";
}

const char *png_structure(struct png_header *header, const struct bytes *file, char unknown[5])
{
    struct reading reading = {.header = header};
    *header = (struct png_header){0};
    memset(header->opacity, 255, sizeof header->opacity);
    const char *wrong = read_chunks(&reading, file, unknown);
    if (!wrong) {
        if (!reading.exif.at && reading.profile.at) {
            from_digits(&reading.profile);
            reading.exif = (struct metadata){reading.profile.at, reading.profile.count, NULL};
        }
        header->orientation = orientation_of(reading.exif.at, reading.exif.count, reading.xmp.at, reading.xmp.count);
    }
    free(reading.profile.owned);
    free(reading.xmp.owned);
    return wrong;
}
