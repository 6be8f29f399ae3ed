/* The format: tables, vectors, strings. */
#include "flatbuffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "memory.h"
#include "text.h"

bool flatbuffer_ok(const struct flatbuffer *flatbuffer)
{
    return flatbuffer->failure->text == NULL;
}

bool flatbuffer_fault(struct flatbuffer *flatbuffer, const char *format, ...)
{
    if (!flatbuffer_ok(flatbuffer))
        return false;
    char *what = NULL;
    va_list values;
    va_start(values, format);
    int count = vasprintf(&what, format, values);
    va_end(values);
    fail_as(flatbuffer->failure, "model.network", "%s has a network %s", flatbuffer->where,
            count < 0 ? "that is damaged" : what);
    if (count >= 0)
        free(what);
    return false;
}

static uint32_t two(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

uint32_t four_bytes(const unsigned char *at)
{
    return two(at) | two(at + 2) << 16;
}

uint64_t eight_bytes(const unsigned char *at)
{
    return four_bytes(at) | (uint64_t)four_bytes(at + 4) << 32;
}

static size_t width_of(char letter)
{
    return letter == '?' || letter == 'b' || letter == 'B' ? 1 : letter == 'q' || letter == 'Q' ? 8 : 4;
}

float float_bytes(const unsigned char *at)
{
    uint32_t bits = four_bytes(at);
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

bool flatbuffer_spend(struct flatbuffer *flatbuffer, size_t count)
{
    flatbuffer->work += count;
    return flatbuffer->work <= MAX_WORK ||
           flatbuffer_fault(flatbuffer, "whose vectors have more than %d elements: expected no more; " CONVERT,
                            MAX_WORK);
}

size_t flatbuffer_follow(struct flatbuffer *flatbuffer, size_t at)
{
    uint64_t offset = four_bytes(flatbuffer->data + at), target = at + offset;
    if (!offset || target % 4 || target + 4 > flatbuffer->size) {
        flatbuffer_damaged(flatbuffer, "an offset leads nowhere");
        return 0;
    }
    return (size_t)target;
}

static bool read_vector(struct flatbuffer *flatbuffer, size_t target, size_t width, struct value *value)
{
    *value = (struct value){.at = target + 4, .count = four_bytes(flatbuffer->data + target)};
    if ((uint64_t)value->count * width > flatbuffer->size - value->at) {
        value->count = 0;
        return flatbuffer_damaged(flatbuffer, "it refers to bytes behind its end");
    }
    return width != 8 || value->at % 8 == 0 || flatbuffer_damaged(flatbuffer, "a vector is not aligned");
}

static bool read_string(struct flatbuffer *flatbuffer, size_t target, struct value *value)
{
    if (!read_vector(flatbuffer, target, 1, value) || !flatbuffer_spend(flatbuffer, value->count))
        return false;
    if (value->count == flatbuffer->size - value->at || flatbuffer->data[value->at + value->count])
        return flatbuffer_damaged(flatbuffer, "a name in it does not end");
    const char *letter = (const char *)flatbuffer->data + value->at, *end = letter + value->count;
    while (letter < end) {
        const char *before = letter;
        uint32_t code = next_letter(&letter, end);
        if (code >= 0xdc80 && code <= 0xdcff && letter == before + 1)
            return flatbuffer_damaged(flatbuffer, "a name in it is not UTF-8");
    }
    return true;
}

static bool read_scalar(struct flatbuffer *flatbuffer, const struct kind *kind, const struct field *field, size_t place,
                        struct value *value)
{
    const unsigned char *at = flatbuffer->data + place;
    switch (field->what) {
    case '?':
        value->number = *at != 0;
        break;
    case 'b':
        value->number = (int8_t)*at;
        break;
    case 'B':
        value->number = *at;
        break;
    case 'i':
        value->number = (int32_t)four_bytes(at);
        break;
    case 'I':
        value->number = four_bytes(at);
        break;
    case 'f':
        value->real = (double)float_bytes(at);
        return true;
    default: /* of an unsigned one, what no file can have is negative here */
        value->number = (int64_t)eight_bytes(at);
        if (place % 8)
            return flatbuffer_damaged(flatbuffer, "a number of a %s is not aligned", kind->name);
    }
    value->real = (double)value->number;
    if (field->limit && (value->number < 0 || value->number >= field->limit))
        return flatbuffer_fault(flatbuffer, "whose %s has %s = %lld, which this program does not know: " UPGRADE,
                                kind->name, field->name, (long long)value->number);
    return true;
}

static bool read_field(struct flatbuffer *flatbuffer, const struct kind *kind, const struct field *field, size_t place,
                       struct value *value)
{
    if (!strchr("[sTU", field->what))
        return read_scalar(flatbuffer, kind, field, place, value);
    size_t target = flatbuffer_follow(flatbuffer, place);
    if (!target)
        return false;
    if (field->what == '[')
        return read_vector(flatbuffer, target, width_of(field->element), value);
    if (field->what == 's')
        return read_string(flatbuffer, target, value);
    value->at = target;
    return true;
}

/* Where the list of a table's fields is, 0 on failure. */
static size_t list_of(struct flatbuffer *flatbuffer, size_t at)
{
    int64_t list = (int64_t)at - (int32_t)four_bytes(flatbuffer->data + at);
    if (list < 8 || list % 2 || (uint64_t)list + 4 > flatbuffer->size) {
        flatbuffer_damaged(flatbuffer, "a table without a list of its fields");
        return 0;
    }
    const unsigned char *found = flatbuffer->data + list;
    size_t length = two(found), size = two(found + 2);
    if (length < 4 || length % 2 || size < 4) {
        flatbuffer_damaged(flatbuffer, "a table whose list of fields has no right length");
        return 0;
    }
    if ((size_t)list + length > flatbuffer->size || at + size > flatbuffer->size) {
        flatbuffer_damaged(flatbuffer, "it refers to bytes behind its end");
        return 0;
    }
    return (size_t)list;
}

bool flatbuffer_table(struct flatbuffer *flatbuffer, const struct kind *kind, size_t at, struct value *values)
{
    for (int slot = 0; slot < kind->count; slot++)
        values[slot] = (struct value){.number = kind->fields[slot].initial, .real = kind->fields[slot].initial};
    if (++flatbuffer->tables > MAX_TABLES)
        return flatbuffer_fault(flatbuffer, "of more than %d tables: expected no more; " CONVERT, MAX_TABLES);
    size_t list = flatbuffer_ok(flatbuffer) && at ? list_of(flatbuffer, at) : 0;
    if (!list)
        return flatbuffer_damaged(flatbuffer, "a table is missing");
    size_t known = (two(flatbuffer->data + list) - 4) / 2, size = two(flatbuffer->data + list + 2);
    if (known > (size_t)kind->count)
        known = (size_t)kind->count; /* a newer file may have more */
    for (size_t slot = 0; slot < known; slot++) {
        const struct field *field = &kind->fields[slot];
        size_t offset = two(flatbuffer->data + list + 4 + 2 * slot), width = width_of(field->what);
        if (!offset || !field->name)
            continue;
        bool apart = true;
        for (size_t other = 0; other < slot && apart; other++) {
            size_t from = two(flatbuffer->data + list + 4 + 2 * other);
            apart = !from || !kind->fields[other].name || from >= offset + width ||
                    from + width_of(kind->fields[other].what) <= offset;
        }
        if (!apart || offset < 4 || offset + width > size || offset % (width < 4 ? width : 4))
            return flatbuffer_damaged(flatbuffer, "the field %s of a %s is not in its place", field->name, kind->name);
        if (!read_field(flatbuffer, kind, field, at + offset, &values[slot]))
            return false;
    }
    return true;
}

size_t flatbuffer_item(struct flatbuffer *flatbuffer, const struct value *vector, size_t index)
{
    return flatbuffer_ok(flatbuffer) ? flatbuffer_follow(flatbuffer, vector->at + 4 * index) : 0;
}

size_t flatbuffer_items(struct flatbuffer *flatbuffer, const struct value *vector)
{
    if (vector->count <= MAX_TABLES)
        return vector->count;
    flatbuffer_fault(flatbuffer, "of more than %d tables: expected no more; " CONVERT, MAX_TABLES);
    return 0;
}

int32_t *flatbuffer_numbers(struct flatbuffer *flatbuffer, const struct value *vector, size_t *count)
{
    *count = flatbuffer_ok(flatbuffer) && flatbuffer_spend(flatbuffer, vector->count) ? vector->count : 0;
    int32_t *indices = need(*count * sizeof *indices);
    for (size_t index = 0; index < *count; index++)
        indices[index] = (int32_t)four_bytes(flatbuffer->data + vector->at + 4 * index);
    return indices;
}
