#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void make_room(struct text *text, size_t more)
{
    if (text->room - text->length > more)
        return;
    size_t room = text->room ? text->room : 256;
    while (room - text->length <= more)
        room *= 2;
    text->at = need_more(text->at, room);
    text->room = room;
}

void text_add(struct text *text, const void *bytes, size_t count)
{
    make_room(text, count);
    if (count)
        memcpy(text->at + text->length, bytes, count);
    text->length += count;
    text->at[text->length] = 0;
}

void text_word(struct text *text, const char *word)
{
    text_add(text, word, strlen(word));
}

void text_print(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int count = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (count > 0) {
        make_room(text, (size_t)count);
        vsnprintf(text->at + text->length, (size_t)count + 1, format, again);
        text->length += (size_t)count;
    }
    va_end(again);
}

void text_free(struct text *text)
{
    free(text->at);
    *text = (struct text){0};
}

uint32_t next_letter(const char **at, const char *end)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    uint32_t first = bytes[0];
    int more = first >= 0xf0 && first < 0xf5 ? 3 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xc2 && first < 0xe0 ? 1 : 0;
    *at += 1;
    if (first < 0x80)
        return first;
    if (more && end - (const char *)bytes > more) {
        uint32_t letter = first & (0x3fu >> more);
        int index = 1;
        for (; index <= more && (bytes[index] & 0xc0) == 0x80; index++)
            letter = letter << 6 | (bytes[index] & 0x3fu);
        bool shortest = letter >= (more == 1 ? 0x80u : more == 2 ? 0x800u : 0x10000u) && letter < 0x110000;
        if (index > more && shortest && (letter < 0xd800 || letter > 0xdfff)) {
            *at += more;
            return letter;
        }
    }
    return 0xdc00 + first;
}

void text_letter(struct text *text, uint32_t letter)
{
    char bytes[4];
    size_t count = letter < 0x80 ? 1 : letter < 0x800 ? 2 : letter < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t index = count; index-- > 1; letter >>= 6)
        bytes[index] = (char)(0x80 | (letter & 0x3f));
    bytes[0] = (char)(first[count] | letter);
    text_add(text, bytes, count);
}

bool is_shown(uint32_t letter)
{
    bool controls = letter < ' ' || (letter >= 0x7f && letter < 0xa0) || letter == 0x2028 || letter == 0x2029;
    bool turns = letter == 0x200e || letter == 0x200f || (letter >= 0x202a && letter <= 0x202e) ||
                 (letter >= 0x2066 && letter <= 0x2069) || letter == 0xfeff;
    return !controls && !turns && (letter < 0xd800 || letter > 0xdfff);
}

size_t count_letters(const char *text)
{
    size_t count = 0;
    for (const char *end = text + strlen(text); text < end; count++)
        next_letter(&text, end);
    return count;
}

void text_one_line(struct text *text, const char *words)
{
    text_word(text, "");
    for (const char *end = words + strlen(words); words < end;) {
        uint32_t letter = next_letter(&words, end);
        if (is_shown(letter))
            text_letter(text, letter);
        else
            text_print(text, letter < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)letter);
    }
}

void text_paint(struct text *text, const char *words, const char *code, bool colour)
{
    if (colour)
        text_print(text, "\x1b[%sm%s\x1b[0m", code, words);
    else
        text_word(text, words);
}

void text_json(struct text *text, const char *words)
{
    text_word(text, "\"");
    for (const char *end = words + strlen(words); words < end;) {
        uint32_t letter = next_letter(&words, end);
        if (letter == '"' || letter == '\\')
            text_print(text, "\\%c", (char)letter);
        else if (letter >= ' ' && letter < 0x7f)
            text_letter(text, letter);
        else if (letter < 0x10000)
            text_print(text, "\\u%04x", (unsigned)letter);
        else
            text_print(text, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((letter - 0x10000) >> 10)),
                       (unsigned)(0xdc00 + (letter & 0x3ff)));
    }
    text_word(text, "\"");
}

void text_float(struct text *text, double value)
{
    char digits[40];
    int precision = 1;
    if (!isfinite(value)) {
        text_word(text, "null");
        return;
    }
    do
        snprintf(digits, sizeof digits, "%.*g", precision, value);
    while (strtod(digits, NULL) != value && precision++ < 17);
    text_word(text, digits);
    if (!strpbrk(digits, ".e")) /* a whole number, but no integer */
        text_word(text, ".0");
}

void text_rounded(struct text *text, double value, int digits)
{
    char buffer[400] = "nan";
    if (isfinite(value))
        snprintf(buffer, sizeof buffer, "%.*f", digits, value);
    text_float(text, strtod(buffer, NULL));
}

void text_number(struct text *text, double value)
{
    if (fabs(value) < 1000) {
        text_print(text, "%.4g", value);
        return;
    }
    char digits[400];
    int count = snprintf(digits, sizeof digits, "%.0f", value);
    for (int index = 0; index < count; index++) {
        text_add(text, digits + index, 1);
        if (digits[index] != '-' && index + 1 < count && (count - index - 1) % 3 == 0)
            text_word(text, ",");
    }
}
