#ifndef EDGE_CHECK_H
#define EDGE_CHECK_H

#include "engine.h"
#include "text.h"

/* What came of one golden vector: does this device compute what the host computed? */
struct verdict {
    const char *image, *word, *kernel_path;
    double max_difference; /* NaN: nothing was computed; not finite where a value is none */
    char *reason;
    bool failed;
};

struct verdict check_vector(struct engine *engine, const struct golden *golden);
void verdict_json(const struct verdict *verdict, const char *model, struct text *text);
void verdict_line(const struct verdict *verdict, bool colour, struct text *text);

#endif
