#ifndef EDGE_JSON_H
#define EDGE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* Parse RFC 8259 in UTF-8, with the limits of docs/model-file.md; the same as edge/strict_json.py. NULL where it is not
   that, and then `why` says what is wrong; else the caller gives the value back by json_decref. */
json_t *json_strict(const char *text, size_t count, struct text *why);

#endif
