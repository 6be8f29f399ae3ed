/* From an image's stored values, of 8 or 16 bits, to the 8 bits that all that follows works on. */
#include "window.h"

/* Rounded half up, in whole numbers. */
static unsigned char mapped(const struct value_window *window, int64_t value)
{
    int64_t width = window->high - window->low, doubled = 2 * 255 * (value - window->low) + width;
    int64_t shown = doubled < 0 ? 0 : doubled / (2 * width);
    return (unsigned char)(shown < 255 ? shown : 255);
}

void window_table(const struct value_window *window, unsigned char table[MOST + 1])
{
    for (int32_t value = 0; value <= MOST; value++)
        table[value] = window->high ? mapped(window, value) : (unsigned char)(value >> 8);
}

void window_bytes(const struct value_window *window, bool high_bytes, unsigned char table[256])
{
    for (int32_t value = 0; value < 256; value++)
        table[value] = window->high ? mapped(window, high_bytes ? value * 257 : value) : (unsigned char)value;
}
