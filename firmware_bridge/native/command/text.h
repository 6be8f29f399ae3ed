#ifndef EDGE_TEXT_H
#define EDGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow; `at` ends in a zero that is not counted, and is NULL while nothing was added. */
struct text {
    char *at;
    size_t length, room;
};

void text_add(struct text *text, const void *bytes, size_t count);
void text_word(struct text *text, const char *word);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *text);

/* Return the next code point at `*at` and go past it. A byte that is no part of valid UTF-8 counts as U+DC80 + its low
   7 bits, as in Python's names of files; U+D800 to U+DFFF, encoded, are taken as they are if `surrogates`. */
uint32_t next_letter(const char **at, const char *end, bool surrogates);
void text_letter(struct text *text, uint32_t letter); /* as UTF-8 */
bool is_printable(uint32_t letter);                   /* as Python's str.isprintable */
size_t count_letters(const char *text);

/* The same with all that is not printable escaped: names of files may hold line ends and a terminal's commands. */
void text_one_line(struct text *text, const char *words);
/* A path as a shell's word. text_one_line then leaves it one: what it escapes stands in $'...', as in bash. */
void text_quoted(struct text *text, const char *path);
void text_repr(struct text *text, const char *words, size_t count, bool ascii); /* Python's repr or ascii of a str */
void text_repr_bytes(struct text *text, const unsigned char *bytes, size_t count); /* Python's repr of bytes */
void text_json(struct text *text, const char *words); /* a JSON string, of ASCII only */

void text_float_or_null(struct text *text, double value);   /* text_float, and "null" for what is no number */
void text_float(struct text *text, double value);           /* the shortest digits that give it again: Python's repr */
void text_rounded(struct text *text, double value, int digits); /* the same of the value rounded to so many digits */
void text_number(struct text *text, double value);          /* for people: 1,234,567 or 4 digits */

#endif
