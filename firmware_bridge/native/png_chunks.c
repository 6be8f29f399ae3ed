#include "png_chunks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "exif.h"
#include "memory.h"

enum { GREY = 0, RGB = 2, PALETTE = 3, MAX_TEXT = 1 << 20, MAX_ALL_TEXT = 64 << 20 };

static uint32_t four(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

bool chunk_next(const struct bytes *file, size_t *at, struct chunk *chunk)
{
    *chunk = (struct chunk){0};
    if (*at > file->count || file->count - *at < 8)
        return false;
    chunk->length = four(file->at + *at);
    memcpy(chunk->name, file->at + *at + 4, 4);
    for (int index = 0; index < 4; index++)
        if (!isalnum((unsigned char)chunk->name[index]) && chunk->name[index] != '_')
            return false;
    *at += 8;
    chunk->data = file->at + *at;
    chunk->is_whole = file->count - *at >= chunk->length;
    *at = chunk->is_whole ? *at + chunk->length : file->count;
    return true;
}

bool chunk_sum(const struct bytes *file, size_t *at, const struct chunk *chunk)
{
    if (file->count - *at < 4)
        return false;
    uLong sum = crc32(crc32(0, (const Bytef *)chunk->name, 4), chunk->data, chunk->length);
    *at += 4;
    return sum == four(file->at + *at - 4);
}

static const char *take_header(struct png_header *header, const struct chunk *chunk)
{
    if (chunk->length < 13)
        return "Truncated IHDR chunk";
    if (header->has_header)
        return "two headers";
    header->has_header = true;
    header->width = four(chunk->data);
    header->height = four(chunk->data + 4);
    header->depth = chunk->data[8];
    header->colour = chunk->data[9];
    header->interlaced = chunk->data[12] != 0;
    return chunk->data[11] ? "unknown filter category" : NULL;
}

/* Unpack a text, at most MAX_TEXT bytes. NULL where it is damaged, which is nothing bad, or with `*too_large`. */
static unsigned char *unpack(const unsigned char *from, size_t count, size_t *length, bool *too_large)
{
    unsigned char *to = malloc(MAX_TEXT);
    z_stream stream = {.next_in = (Bytef *)from, .avail_in = (uInt)count, .next_out = to, .avail_out = MAX_TEXT};
    *too_large = false;
    if (!to || inflateInit(&stream) != Z_OK) {
        free(to);
        return NULL;
    }
    int result = inflate(&stream, Z_SYNC_FLUSH);
    *length = stream.total_out;
    *too_large = result != Z_STREAM_END && stream.avail_out == 0 && stream.avail_in > 0;
    inflateEnd(&stream);
    if (*too_large || (result < 0 && result != Z_BUF_ERROR)) {
        free(to);
        return NULL;
    }
    return to;
}

static void keep(struct bytes *place, const unsigned char *data, size_t count)
{
    free(place->at);
    place->at = need(count + 1);
    place->count = count;
    if (count)
        memcpy(place->at, data, count);
}

static bool is_utf8(const unsigned char *data, size_t count)
{
    for (size_t at = 0; at < count;) {
        unsigned first = data[at++];
        int more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2
                   : first >= 0xf0 && first < 0xf5 ? 3 : -1;
        if (more < 0 || count - at < (size_t)more)
            return false;
        unsigned second = more ? data[at] : 0x80;
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
            (first == 0xf4 && second > 0x8f))
            return false;
        for (; more > 0; more--)
            if ((data[at++] & 0xc0) != 0x80)
                return false;
    }
    return true;
}

/* Take a text by its key, where it can hold an orientation. */
static const char *take_text(struct png_header *header, const unsigned char *key, size_t key_length,
                             const unsigned char *text, size_t count, bool is_plain)
{
    if (key_length == 17 && memcmp(key, "XML:com.adobe.xmp", 17) == 0) {
        keep(&header->xmp, text, count);
        header->xmp_is_text = true;
    } else if (key_length == 21 && memcmp(key, "Raw profile type exif", 21) == 0) {
        keep(&header->profile, text, count);
    } else if (is_plain && key_length == 4 && memcmp(key, "exif", 4) == 0) {
        keep(&header->exif, text, count);
    }
    header->text_bytes += count;
    return header->text_bytes > MAX_ALL_TEXT ? "Too much memory used in text chunks" : NULL;
}

static const char *take_packed_text(struct png_header *header, const struct chunk *chunk, size_t key_length)
{
    bool too_large;
    size_t length = 0, begin = key_length + 2;
    if (key_length + 1 < chunk->length && chunk->data[key_length + 1] != 0)
        return "Unknown compression method in zTXt chunk";
    unsigned char *text = begin < chunk->length
                              ? unpack(chunk->data + begin, chunk->length - begin, &length, &too_large)
                              : (too_large = false, NULL);
    if (too_large)
        return "Decompressed data too large";
    const char *wrong = key_length ? take_text(header, chunk->data, key_length, text ? text : (unsigned char *)"",
                                               text ? length : 0, false)
                                   : NULL;
    free(text);
    return wrong;
}

static const char *take_international_text(struct png_header *header, const struct chunk *chunk, size_t key_length)
{
    const unsigned char *end = chunk->data + chunk->length, *at = chunk->data + key_length + 1;
    if (key_length == chunk->length || end - at < 2)
        return NULL;
    bool is_packed = at[0] != 0, is_known = at[1] == 0, too_large = false;
    const unsigned char *language = at + 2, *title = memchr(language, 0, (size_t)(end - language));
    const unsigned char *text = title ? memchr(title + 1, 0, (size_t)(end - title - 1)) : NULL;
    if (!text || (is_packed && !is_known))
        return NULL;
    text++;
    size_t count = (size_t)(end - text);
    unsigned char *unpacked = NULL;
    if (is_packed) {
        unpacked = unpack(text, count, &count, &too_large);
        if (!unpacked)
            return too_large ? "Decompressed data too large" : NULL;
        text = unpacked;
    }
    const char *wrong = NULL;
    if (is_utf8(language, (size_t)(title - language)) && is_utf8(title + 1, strlen((const char *)title + 1)) &&
        is_utf8(text, count)) {
        wrong = take_text(header, chunk->data, key_length, text, count, false);
    } else if (key_length == 17 && memcmp(chunk->data, "XML:com.adobe.xmp", 17) == 0 &&
               !(header->xmp_is_text && header->xmp.count)) {
        keep(&header->xmp, text, count); /* as bytes, which count where there is no text */
        header->xmp_is_text = false;
    }
    free(unpacked);
    return wrong;
}

static const char *take_profile(const struct chunk *chunk)
{
    const unsigned char *zero = memchr(chunk->data, 0, chunk->length);
    size_t method = zero ? (size_t)(zero - chunk->data) + 1 : 0, length;
    if (method >= chunk->length)
        return "index out of range";
    if (chunk->data[method] != 0)
        return "Unknown compression method in iCCP chunk";
    bool too_large;
    free(unpack(chunk->data + method + 1, chunk->length - method - 1, &length, &too_large));
    return too_large ? "Decompressed data too large" : NULL;
}

static const char *take_frame(const struct png_header *header, const struct chunk *chunk)
{
    if (chunk->length < 26)
        return "APNG contains truncated fcTL chunk";
    /* What follows are the pixels of the still picture: they are its whole size. */
    bool whole = four(chunk->data + 4) == header->width && four(chunk->data + 8) == header->height;
    if (four(chunk->data) != 0 || !whole || four(chunk->data + 12) || four(chunk->data + 16))
        return "APNG contains invalid frames";
    return NULL;
}

static const char *take_palette(struct png_header *header, const struct chunk *chunk)
{
    if (header->colour != PALETTE || !header->has_header)
        return NULL;
    if (chunk->length / 3 > 256)
        return "invalid palette size";
    memcpy(header->palette, chunk->data, chunk->length / 3 * 3);
    return NULL;
}

const char *chunk_take(struct png_header *header, const struct chunk *chunk)
{
    static const struct {
        const char *name;
        uint32_t least;
    } sized[] = {{"gAMA", 4}, {"cHRM", 32}, {"sRGB", 1}, {"pHYs", 9}, {"acTL", 8}};
    const char *name = chunk->name;
    if (!chunk->is_whole)
        return "Truncated File Read";
    for (size_t index = 0; index < sizeof sized / sizeof sized[0]; index++)
        if (strcmp(name, sized[index].name) == 0 && chunk->length < sized[index].least)
            return "Truncated chunk";
    const unsigned char *zero = memchr(chunk->data, 0, chunk->length);
    size_t key_length = zero ? (size_t)(zero - chunk->data) : chunk->length;
    if (strcmp(name, "IHDR") == 0)
        return take_header(header, chunk);
    if (strcmp(name, "PLTE") == 0)
        return take_palette(header, chunk);
    if (strcmp(name, "tRNS") == 0)
        return (header->colour == GREY && chunk->length < 2) || (header->colour == RGB && chunk->length < 6)
                   ? "Truncated tRNS chunk" : NULL;
    if (strcmp(name, "acTL") == 0)
        header->is_animated = four(chunk->data) > 1;
    if (strcmp(name, "fcTL") == 0)
        return take_frame(header, chunk);
    if (strcmp(name, "iCCP") == 0)
        return take_profile(chunk);
    if (strcmp(name, "eXIf") == 0)
        keep(&header->exif, chunk->data, chunk->length);
    if (strcmp(name, "tEXt") == 0 && key_length)
        return take_text(header, chunk->data, key_length, chunk->data + key_length + (zero != NULL),
                         chunk->length - key_length - (zero != NULL), true);
    if (strcmp(name, "zTXt") == 0)
        return take_packed_text(header, chunk, key_length);
    if (strcmp(name, "iTXt") == 0)
        return take_international_text(header, chunk, key_length);
    return NULL;
}

/* The bytes that hexadecimal digits from the 4th line on stand for; false where they are no such. */
static bool from_digits(const struct bytes *profile, struct bytes *bytes)
{
    size_t at = 0, count = 0;
    for (int lines = 0; lines < 3; lines++) {
        const unsigned char *end = at < profile->count ? memchr(profile->at + at, '\n', profile->count - at) : NULL;
        at = end ? (size_t)(end - profile->at) + 1 : profile->count;
    }
    *bytes = (struct bytes){need(profile->count / 2 + 1), 0};
    unsigned value = 0;
    bool half = false;
    for (; at < profile->count; at++) {
        int letter = profile->at[at];
        if (isspace(letter) && (!half || letter == '\n'))
            continue;
        if (!isxdigit(letter))
            return false;
        value = value << 4 | (unsigned)(isdigit(letter) ? letter - '0' : tolower(letter) - 'a' + 10);
        half = !half;
        if (!half)
            bytes->at[count++] = (unsigned char)value;
    }
    bytes->count = count;
    return !half;
}

bool png_orientation(const struct png_header *header, int *orientation)
{
    struct bytes exif = header->exif, unpacked = {0};
    bool fine = true;
    *orientation = -1;
    if (!exif.at && header->profile.at) {
        fine = from_digits(&header->profile, &unpacked);
        exif = unpacked;
    }
    if (fine && exif.at)
        fine = exif_orientation(exif.at, exif.count, orientation);
    free(unpacked.at);
    if (fine && *orientation < 0 && header->xmp.at)
        *orientation = xmp_orientation(header->xmp.at, header->xmp.count);
    return fine;
}

void png_header_free(struct png_header *header)
{
    free(header->exif.at);
    free(header->xmp.at);
    free(header->profile.at);
}
