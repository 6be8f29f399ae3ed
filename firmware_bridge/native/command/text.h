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
   7 bits, as in Python's names of files. */
uint32_t next_letter(const char **at, const char *end);
void text_letter(struct text *text, uint32_t letter); /* as UTF-8 */
/* Whether it is a letter that a terminal shows: no control, none that turns the direction of writing. docs/model-file.md */
bool is_shown(uint32_t letter);
size_t count_letters(const char *text);

/* The same with all that is not shown escaped: names of files can contain line ends and a terminal's commands. */
void text_one_line(struct text *text, const char *words);
#define BOLD "1"
#define RED "31"
#define GREEN "32"
void text_paint(struct text *text, const char *words, const char *code, bool colour);
void text_json(struct text *text, const char *words); /* a JSON string, of ASCII only */

/* The shortest digits of JSON that give the number again, "null" where it is none; of the value, and of it rounded. */
void text_float(struct text *text, double value);
void text_rounded(struct text *text, double value, int digits);
void text_number(struct text *text, double value); /* for people: 1,234,567 or 4 digits */

#endif
