#ifndef EDGE_BOARD_H
#define EDGE_BOARD_H

#include "text.h"

/* The board that this runs on, as far as its system tells; NULL and NaN where it does not say. */
struct board {
    char *model, *governor, *driver;
    char architecture[65];
    long cores;
    double temperature_c;
    bool knows_throttled;
    unsigned throttled; /* as the Raspberry Pi's firmware says it */
};

struct board board_read(void);
void board_free(struct board *board);
void board_json(const struct board *board, struct text *text);
void board_line(const struct board *board, struct text *text);
/* Lines "warning: ..." of what makes the measured times longer than the board's best. */
void board_warnings(const struct board *board, struct text *text);
/* How many cores this process may use: those of its affinity, and no more than its CPU quota, rounded up. `root`: where
   proc and the control groups are looked for; "" for the system's own. */
int usable_cores(const char *root);

#endif
