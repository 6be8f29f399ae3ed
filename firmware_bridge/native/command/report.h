#ifndef EDGE_REPORT_H
#define EDGE_REPORT_H

#include "board.h"
#include "engine.h"
#include "targets.h"

#define NOTICE "Software for engineers, not a medical device: no diagnosis may rest on it."

/* What is said of a run, lines for people; the words of edge/report.py. */

/* `first`: the engine's first invoke was for this image. */
void report_answer(const char *image, const struct engine *engine, const struct answer *answer, bool first, bool colour,
                   struct text *text);
/* The line that --quiet leaves of an answer. */
void report_short(const char *image, const struct answer *answer, struct text *text);
/* What a segmentation found, as the line below an image. */
void report_caption(const struct answer *answer, struct text *text);
/* The lines that close a run; the targets in one line, or `as_table`. */
void report_summary(const struct engine *engine, const struct here *here, const struct board *board, bool as_table,
                    bool colour, struct text *text);
void report_models(const struct model *models, size_t count, struct text *text);
void report_paint(const char *words, const char *code, bool colour, struct text *text);

#endif
