#ifndef EDGE_RECORD_H
#define EDGE_RECORD_H

#include "board.h"
#include "engine.h"
#include "failure.h"
#include "targets.h"

/* Objects for JSON, a line each: edge/record.py; docs/answers.md says what is in them. */
void record_answer(const char *image, const struct engine *engine, const struct answer *answer, const struct here *here,
                   const struct board *board, struct text *text);
/* Of an image that is not answered; NULL where none was asked for. */
void record_error(const char *image, const struct failure *failure, struct text *text);
void record_model(const struct model *model, struct text *text);

#endif
