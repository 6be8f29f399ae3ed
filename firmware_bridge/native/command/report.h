#ifndef EDGE_REPORT_H
#define EDGE_REPORT_H

#include "board.h"
#include "engine.h"
#include "targets.h"

/* Lines for people about a run. */

/* `first`: the engine's first invoke was for this image. */
void report_answer(const char *image, const struct engine *engine, const struct answer *answer, bool first, bool colour,
                   struct text *text);
/* The line that --quiet leaves of an answer. */
void report_short(const char *image, const struct answer *answer, struct text *text);
/* The lines that close a run; the targets in one line, or `as_table`. */
void report_summary(const struct engine *engine, const struct here *here, const struct board *board, bool as_table,
                    bool colour, struct text *text);
void report_models(const struct model *models, size_t count, struct text *text);

#endif
