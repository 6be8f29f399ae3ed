#ifndef EDGE_TERMINAL_H
#define EDGE_TERMINAL_H

#include <stdbool.h>

#include "failure.h"
#include "text.h"

/* Standard input, output and error, whatever they are connected to: edge/terminal.py. */

enum { OK, CHECK_FAILED, INVALID, INTERRUPTED = 130, CLOSED = 141 };

/* See which are open, and keep the numbers of the others from files. False where that can't be. */
bool terminal_prepare(void);
bool terminal_has_input(void);
/* Write to standard output at once; where that can't be, the process ends. Empties the text. */
void put(struct text *text);
/* Write lines to standard error, if there is one that can be written. */
void say(const char *lines);
/* Say what is wrong, in one line. */
void complain(const struct failure *failure);
/* Say what was refused before there was an image, or instead of one, as an object too; forget it, return the status. */
int refused(struct failure *failure, bool as_json);
void forget(struct failure *failure);
bool wants_colour(void);

#endif
