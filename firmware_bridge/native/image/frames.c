/* How many images a file holds: frames of an animated PNG, parts of an MPO. The first one is answered. */
#include "frames.h"

#include <stdbool.h>
#include <string.h>

enum { SOF0 = 0xc0, SOS = 0xda, APP1 = 0xe1, APP2 = 0xe2, APP15 = 0xef, COM = 0xfe };
enum { ENTRIES = 0xb002, VGA_PREVIEW = 0x010001, HD_PREVIEW = 0x010002 }; /* of an MPO's index */

/* A whole number of 2 or 4 bytes; false where the file ends before. */
static bool number(const struct bytes *file, uint64_t at, int size, bool little, uint32_t *value)
{
    if (at > file->count || file->count - at < (size_t)size)
        return false;
    *value = 0;
    for (int index = 0; index < size; index++)
        *value = *value << 8 | file->at[at + (uint64_t)(little ? size - 1 - index : index)];
    return true;
}

static int64_t png_images(const struct bytes *file)
{
    uint32_t size, frames = 0;
    int64_t first = 1;
    for (uint64_t at = 8; at + 8 > file->count || memcmp(file->at + at + 4, "IDAT", 4) != 0; at += 12 + (uint64_t)size) {
        if (!number(file, at, 4, false, &size) || at + 8 > file->count)
            return 1;
        if (memcmp(file->at + at + 4, "acTL", 4) == 0 && !number(file, at + 8, 4, false, &frames))
            return 1;
        if (memcmp(file->at + at + 4, "fcTL", 4) == 0) /* the image is the first frame, too */
            first = 0;
    }
    return frames > 0 && frames <= 1u << 31 ? first + frames : 1;
}

static int64_t mpo_images(const struct bytes *index)
{
    bool little = index->count < 4 || memcmp(index->at, "MM\0*", 4) != 0;
    uint32_t at, entries, tag, size, place, kind;
    if (!number(index, 4, 4, little, &at) || !number(index, at, 2, little, &entries))
        return 1;
    for (uint32_t entry = 0; entry < entries; entry++) {
        uint64_t from = (uint64_t)at + 2 + 12 * (uint64_t)entry;
        if (!number(index, from, 2, little, &tag) || !number(index, from + 4, 4, little, &size) ||
            !number(index, from + 8, 4, little, &place))
            return 1;
        if (tag != ENTRIES)
            continue;
        int64_t images = 0;
        for (uint32_t part = 0; part < size / 16; part++) {
            if (!number(index, (uint64_t)place + 16 * (uint64_t)part, 4, little, &kind))
                return 1;
            kind &= 0xffffff;
            images += kind != VGA_PREVIEW && kind != HD_PREVIEW;
        }
        return images;
    }
    return 1;
}

static int64_t jpeg_images(const struct bytes *file)
{
    static const char gain[] = " hdrgm:Version=\"";
    int64_t images = 1;
    uint32_t size;
    uint64_t at = 2;
    while (at < file->count) {
        if (file->at[at] == 0xff && at + 1 == file->count)
            return 1;
        if (file->at[at] != 0xff || file->at[at + 1] == 0 || file->at[at + 1] == 0xff) {
            at++;
            continue;
        }
        int marker = file->at[at + 1];
        at += 2;
        if (marker == SOS)
            break;
        if (!((marker >= SOF0 && marker < 0xd0) || (marker > SOS && marker <= APP15) || marker == COM))
            continue;
        if (!number(file, at, 2, false, &size))
            return 1;
        uint64_t left = file->count - at - 2, count = size < 2 ? 0 : size - 2u < left ? size - 2u : left;
        const unsigned char *content = file->at + at + 2;
        if (marker == APP1 && memmem(content, count, gain, sizeof gain - 1))
            return 1;
        if (marker == APP2 && count >= 4 && memcmp(content, "MPF", 4) == 0) {
            struct bytes index = {(unsigned char *)content + 4, count - 4};
            images = mpo_images(&index);
        }
        at += size < 2 ? 2 : size;
    }
    return images;
}

int64_t count_images(const struct bytes *file)
{
    int64_t images = file->count > 8 && file->at[0] == 0x89 ? png_images(file) : jpeg_images(file);
    return images > 1 ? images : 1;
}
