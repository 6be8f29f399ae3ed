#ifndef EDGE_REPORT_H
#define EDGE_REPORT_H

#include "board.h"
#include "engine.h"

#define NOTICE "Software for engineers, not a medical device: no diagnosis may rest on it."

/* What is told of a run: lines for people, objects for machines; the words of edge/report.py. Memory in megabytes. */
void report_json(const char *image, const struct engine *engine, const struct answer *answer, double peak,
                 const struct board *board, struct text *text);
/* `how` says of what the invoke time is one or the median. */
void report_answer(const char *image, const struct engine *engine, const struct answer *answer, const char *how,
                   bool colour, struct text *text);
/* What a segmentation found, as the line below a picture. */
void report_caption(const struct answer *answer, struct text *text);
/* The lines that close a run; `latency` is the median of its invokes. */
void report_summary(const struct engine *engine, double peak, double latency, const struct board *board, bool colour,
                    struct text *text);
void report_models(const struct model *models, size_t count, bool as_json, struct text *text);
void report_paint(const char *words, const char *code, bool colour, struct text *text);

#endif
