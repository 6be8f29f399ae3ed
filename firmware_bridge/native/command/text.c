#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "printable.h"

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

uint32_t next_letter(const char **at, const char *end, bool surrogates)
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
        bool whole = letter < 0xd800 || letter > 0xdfff || surrogates;
        if (index > more && shortest && whole) {
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

bool is_printable(uint32_t letter)
{
    size_t low = 0, high = sizeof PRINTABLE / sizeof PRINTABLE[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (PRINTABLE[middle][1] < letter)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof PRINTABLE / sizeof PRINTABLE[0] && PRINTABLE[low][0] <= letter;
}

size_t count_letters(const char *text)
{
    size_t count = 0;
    for (const char *end = text + strlen(text); text < end; count++)
        next_letter(&text, end, true);
    return count;
}

static void escape(struct text *text, uint32_t letter)
{
    if (letter == '\n' || letter == '\r' || letter == '\t')
        text_print(text, "\\%c", letter == '\n' ? 'n' : letter == '\r' ? 'r' : 't');
    else if (letter < 0x100)
        text_print(text, "\\x%02x", (unsigned)letter);
    else
        text_print(text, letter < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)letter);
}

void text_one_line(struct text *text, const char *words)
{
    text_word(text, "");
    for (const char *end = words + strlen(words); words < end;) {
        uint32_t letter = next_letter(&words, end, false);
        if (is_printable(letter))
            text_letter(text, letter);
        else
            escape(text, letter);
    }
}

void text_quoted(struct text *text, const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-";
    bool printable = true;
    for (const char *letter = path, *end = path + strlen(path); printable && letter < end;)
        printable = is_printable(next_letter(&letter, end, false));
    bool is_plain = *path && path[strspn(path, plain)] == 0;
    text_word(text, is_plain ? "" : printable ? "'" : "$'");
    if (*path == '-') /* no option */
        text_word(text, "./");
    for (const char *letter = path; *letter; letter++)
        if (is_plain || (*letter != '\'' && (printable || *letter != '\\')))
            text_add(text, letter, 1);
        else
            text_word(text, printable ? "'\"'\"'" : *letter == '\'' ? "\\'" : "\\\\");
    text_word(text, is_plain ? "" : "'");
}

void text_repr(struct text *text, const char *words, size_t count, bool ascii)
{
    char quote = memchr(words, '\'', count) && !memchr(words, '"', count) ? '"' : '\'';
    text_add(text, &quote, 1);
    for (const char *end = words + count; words < end;) {
        uint32_t letter = next_letter(&words, end, true);
        if (letter == (uint32_t)quote || letter == '\\')
            text_print(text, "\\%c", (char)letter);
        else if (ascii ? letter >= ' ' && letter < 0x7f : is_printable(letter))
            text_letter(text, letter);
        else
            escape(text, letter);
    }
    text_add(text, &quote, 1);
}

void text_repr_bytes(struct text *text, const unsigned char *bytes, size_t count)
{
    char quote = memchr(bytes, '\'', count) && !memchr(bytes, '"', count) ? '"' : '\'';
    text_print(text, "b%c", quote);
    for (size_t index = 0; index < count; index++) {
        if (bytes[index] == (unsigned char)quote || bytes[index] == '\\')
            text_print(text, "\\%c", bytes[index]);
        else if (bytes[index] >= ' ' && bytes[index] < 0x7f)
            text_add(text, &bytes[index], 1);
        else
            escape(text, bytes[index]);
    }
    text_add(text, &quote, 1);
}

void text_json(struct text *text, const char *words)
{
    text_word(text, "\"");
    for (const char *end = words + strlen(words); words < end;) {
        uint32_t letter = next_letter(&words, end, false);
        if (letter == '"' || letter == '\\')
            text_print(text, "\\%c", (char)letter);
        else if (letter == '\b' || letter == '\f')
            text_print(text, "\\%c", letter == '\b' ? 'b' : 'f');
        else if (letter == '\n' || letter == '\r' || letter == '\t')
            escape(text, letter);
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
    if (!isfinite(value)) {
        text_word(text, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity"); /* as Python's json */
        return;
    }
    char digits[40];
    int precision = 1;
    do
        snprintf(digits, sizeof digits, "%.*e", precision - 1, value);
    while (strtod(digits, NULL) != value && precision++ < 17);
    char *exponent_at = strchr(digits, 'e');
    int exponent = atoi(exponent_at + 1);
    if (exponent < -4 || exponent >= 16) {
        *exponent_at = 0;
        text_print(text, "%se%c%02d", digits, exponent < 0 ? '-' : '+', abs(exponent));
    } else {
        int decimals = precision - 1 - exponent;
        text_print(text, "%.*f", decimals > 0 ? decimals : 1, value);
    }
}

void text_float_or_null(struct text *text, double value)
{
    if (isnan(value))
        text_word(text, "null");
    else
        text_float(text, value);
}

void text_rounded(struct text *text, double value, int digits)
{
    char buffer[400];
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
