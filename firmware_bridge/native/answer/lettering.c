/* Words in an image: the bitmaps of letters.h in a line, and the line resampled to the size that is asked for. */
#include "lettering.h"

#include <stdlib.h>
#include <string.h>

#include "letters.h"
#include "memory.h"
#include "resample.h"
#include "text.h"

enum { FIRST = ' ', MISSING = 127 - FIRST };

static size_t next_index(const char **words, const char *end)
{
    uint32_t letter = next_letter(words, end);
    return letter >= FIRST && letter < FIRST + MISSING ? letter - FIRST : MISSING;
}

/* In the bitmaps' own pixels. */
static int64_t full_width(const char *words)
{
    int64_t width = 0;
    for (const char *end = words + strlen(words); words < end;)
        width += LETTERS[next_index(&words, end)].advance;
    return width;
}

int64_t lettering_width(const char *words, int64_t size)
{
    return (full_width(words) * size + LETTER_SIZE - 1) / LETTER_SIZE;
}

/* Return the line as 8-bit grey of LETTER_ROWS rows. */
static unsigned char *set_line(const char *words, int64_t width)
{
    unsigned char *line = need((size_t)width * LETTER_ROWS);
    int64_t left = 0;
    for (const char *end = words + strlen(words); words < end;) {
        size_t index = next_index(&words, end);
        for (int row = 0; row < LETTERS[index].rows; row++)
            for (int column = 0; column < 32 && left + column < width; column++)
                if (LETTER_BITS[LETTERS[index].at + row] >> (31 - column) & 1)
                    line[(LETTERS[index].row + row) * width + left + column] = 255;
        left += LETTERS[index].advance;
    }
    return line;
}

unsigned char blend(unsigned char from, unsigned char to, unsigned part)
{
    unsigned sum = from * (255 - part) + to * part + 128;
    return (unsigned char)(((sum >> 8) + sum) >> 8);
}

void lettering_draw(const struct canvas *canvas, const char *words, int64_t size, int64_t left, int64_t top,
                    const unsigned char colour[3])
{
    int64_t width = full_width(words), columns = lettering_width(words, size);
    int64_t rows = (LETTER_ROWS * size + LETTER_SIZE - 1) / LETTER_SIZE;
    if (width == 0)
        return;
    unsigned char *line = set_line(words, width);
    unsigned char *shown = resample_bytes(line, width, LETTER_ROWS, 1, (double[4]){0, 0, (double)width, LETTER_ROWS},
                                          columns, rows);
    if (!shown)
        memory_full();
    for (int64_t row = 0; row < rows && top + row < canvas->rows; row++)
        for (int64_t column = 0; column < columns && left + column < canvas->columns; column++) {
            unsigned char *pixel = canvas->pixels + ((top + row) * canvas->columns + left + column) * 3;
            for (int channel = 0; channel < 3; channel++)
                pixel[channel] = blend(pixel[channel], colour[channel], shown[row * columns + column]);
        }
    free(shown);
    free(line);
}
