#ifndef EDGE_WINDOW_H
#define EDGE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "constants.h"

/* Which stored values are black and white; high 0: there is no window. edge/window.py, to the bit. */
struct value_window {
    int32_t low, high;
};

/* What stored values of 16 bits, 0 to 65535, become: in the window, else the high byte. */
void window_table(const struct value_window *window, unsigned char table[MOST + 1]);
/* What 8-bit values become; with `high_bytes`, they are those of 16 bits. */
void window_bytes(const struct value_window *window, bool high_bytes, unsigned char table[256]);

#endif
