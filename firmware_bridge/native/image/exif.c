#include "exif.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "constants.h"

enum { TAG = 0x0112, SHORT = 3, HEADER = 8, ENTRY = 12, HIGHEST = 8 };

struct tiff {
    const unsigned char *data;
    size_t count;
    bool big_endian;
};

static size_t number(const struct tiff *tiff, size_t at, int bytes)
{
    size_t value = 0;
    for (int index = 0; index < bytes; index++)
        value |= (size_t)tiff->data[at + (size_t)index] << 8 * (tiff->big_endian ? bytes - 1 - index : index);
    return value;
}

/* EXIF's orientation is one SHORT in the first directory; entries that differ are none. */
static int exif_orientation(const unsigned char *data, size_t count)
{
    if (count >= 6 && memcmp(data, "Exif\0\0", 6) == 0) {
        data += 6;
        count -= 6;
    }
    if (count == 0)
        return NO_ORIENTATION;
    struct tiff tiff = {data, count, data[0] == 'M'};
    if (count < HEADER || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0))
        return UNREADABLE_ORIENTATION;
    size_t at = number(&tiff, 4, 4);
    if (at > count || count - at < 2)
        return UNREADABLE_ORIENTATION;
    size_t entries = number(&tiff, at, 2), left = (count - at - 2) / ENTRY;
    int found = NO_ORIENTATION;
    bool is_found = false;
    if (left < entries)
        return UNREADABLE_ORIENTATION;
    for (at += 2; entries-- > 0; at += ENTRY) {
        if (number(&tiff, at, 2) != TAG)
            continue;
        size_t value = number(&tiff, at + 8, 2);
        bool is_one = number(&tiff, at + 2, 2) == SHORT && number(&tiff, at + 4, 4) == 1 && value <= HIGHEST;
        if (!is_one || (is_found && found != (int)value))
            return UNREADABLE_ORIENTATION;
        found = (int)value;
        is_found = true;
    }
    return found;
}

static bool is_space(int letter)
{
    return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

/* tiff:Orientation="6" or <tiff:Orientation>6</tiff:Orientation> */
static int xmp_orientation(const unsigned char *data, size_t count)
{
    static const char name[] = "tiff:Orientation";
    const unsigned char *end = data + (count < LONGEST_METADATA ? count : LONGEST_METADATA), *at = data;
    while ((at = memmem(at, (size_t)(end - at), name, sizeof name - 1))) {
        const unsigned char *value = at += sizeof name - 1;
        while (value < end && is_space(*value))
            value++;
        bool is_attribute = value < end && *value == '=', is_element = value < end && *value == '>';
        value++;
        while (value < end && is_space(*value))
            value++;
        if (is_attribute && value < end && (*value == '"' || *value == '\''))
            value++;
        else if (!is_element)
            continue;
        if (end - value >= 2 && value[0] >= '1' && value[0] <= '8' && (strchr("\"'<", value[1]) || is_space(value[1])) &&
            value[1])
            return value[0] - '0';
    }
    return NO_ORIENTATION;
}

int orientation_of(const unsigned char *exif, size_t exif_count, const unsigned char *xmp, size_t xmp_count)
{
    int found = exif ? exif_orientation(exif, exif_count) : NO_ORIENTATION;
    int other = xmp && found < 1 ? xmp_orientation(xmp, xmp_count) : NO_ORIENTATION;
    return other ? other : found;
}
