#include "exif.h"

#include <stdint.h>
#include <string.h>

enum { ORIENTATION = 0x0112, HEADER = 8, ENTRY = 12 };

struct tiff {
    const unsigned char *data;
    size_t count;
    bool big_endian;
};

static uint64_t number(const struct tiff *tiff, size_t at, int bytes)
{
    uint64_t value = 0;
    for (int index = 0; index < bytes; index++)
        value |= (uint64_t)tiff->data[at + (size_t)index] << 8 * (tiff->big_endian ? bytes - 1 - index : index);
    return value;
}

/* Bytes of one value by the entry's type, 0 for unknown types. */
static unsigned size_of(unsigned type)
{
    static const unsigned char sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8};
    return type < sizeof sizes ? sizes[type] : 0;
}

/* The value as a whole number, 0 where it is no such. Pillow takes any type of number that equals one. */
static int value_of(const struct tiff *tiff, unsigned type, size_t at)
{
    double value = 0;
    uint64_t bits = number(tiff, at, (int)size_of(type));
    uint32_t half = (uint32_t)bits;
    float single;
    switch (type) {
    case 3: case 4: case 13: case 16:
        value = (double)bits;
        break;
    case 6:
        value = (int8_t)bits;
        break;
    case 8:
        value = (int16_t)bits;
        break;
    case 9:
        value = (int32_t)bits;
        break;
    case 5: case 10: {
        int64_t above = (int64_t)number(tiff, at, 4), below = (int64_t)number(tiff, at + 4, 4);
        value = below && type == 5 ? (double)above / (double)below
                : below            ? (double)(int32_t)above / (double)(int32_t)below : 0;
        break;
    }
    case 11:
        memcpy(&single, &half, sizeof single);
        value = (double)single;
        break;
    case 12:
        memcpy(&value, &bits, sizeof value);
        break;
    }
    for (int known = 1; known <= 8; known++)
        if (value == known)
            return known;
    return 0;
}

bool exif_orientation(const unsigned char *data, size_t count, int *orientation)
{
    *orientation = -1;
    for (int times = 0; times < 2 && count >= 6 && memcmp(data, "Exif\0\0", 6) == 0; times++) {
        data += 6;
        count -= 6;
    }
    if (count == 0)
        return true;
    struct tiff tiff = {data, count, data[0] == 'M'};
    static const char headers[4][4] = {{'M', 'M', 0, '*'}, {'I', 'I', '*', 0}, {'M', 'M', '*', 0}, {'I', 'I', 0, '*'}};
    bool known = false;
    for (int index = 0; count >= HEADER && index < 4; index++)
        known = known || memcmp(data, headers[index], 4) == 0;
    if (!known)
        return false;
    size_t at = number(&tiff, 4, 4), total = 0;
    if (at > count || count - at < 2)
        return true;
    unsigned entries = (unsigned)number(&tiff, at, 2);
    at += 2;
    for (; entries-- > 0 && count - at >= ENTRY; at += ENTRY) {
        unsigned tag = (unsigned)number(&tiff, at, 2), type = (unsigned)number(&tiff, at + 2, 2);
        uint64_t values = number(&tiff, at + 4, 4), size = values * size_of(type);
        size_t place = at + 8;
        if (size_of(type) == 0 || size == 0)
            continue;
        if (size > 4) {
            place = number(&tiff, at + 8, 4);
            total += size;
            if (total > count)
                continue;
            if (place > count || size > count - place)
                return true; /* what comes later is not read */
        }
        if (tag == ORIENTATION) {
            *orientation = values == 1 ? value_of(&tiff, type, place) : 0;
            return true;
        }
    }
    return true;
}

int xmp_orientation(const unsigned char *data, size_t count)
{
    static const char name[] = "tiff:Orientation";
    const unsigned char *end = data + count, *at = data;
    while ((at = memmem(at, (size_t)(end - at), name, sizeof name - 1))) {
        at += sizeof name - 1;
        size_t skip = end - at >= 3 && at[0] == '=' && at[1] == '"' ? 2 : end - at >= 2 && at[0] == '>' ? 1 : 0;
        if (skip && at[skip] >= '0' && at[skip] <= '9')
            return at[skip] - '0';
    }
    return -1;
}
