#ifndef EDGE_ENDING_H
#define EDGE_ENDING_H

#include <stdbool.h>
#include <stddef.h>

/* With --json every image asked for has a record, also where the process ends at once: `images` are their names as JSON,
   and must stay. Without any, one object says what is wrong. */
void ending_prepare(bool as_json, const char *const *images, size_t count);
/* Those before `index` have their records. */
void ending_reached(size_t index);
/* End the process with a sentence of ASCII without quotes, its code, and exit status 2; nothing is left half-written. A
   signal's handler may call it. */
_Noreturn void end_at_once(const char *code, const char *sentence);

#endif
