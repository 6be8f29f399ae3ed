#ifndef EDGE_FIELDS_H
#define EDGE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "json.h"

/* The fields of a JSON object, asked for by type; edge/fields of the manifest. After the first failure nothing more is
   read, and every function returns something harmless. */
struct reader {
    const char *where; /* the file's name, for messages */
    struct failure *failure;
};

struct object {
    struct reader *reader;
    json_t *value;
    char path[80]; /* leads to it from the top, for messages */
};

/* A number, shown as it was written: as an integer or not. */
struct number {
    double value;
    char *digits; /* of an integer, else NULL */
};

bool fields_ok(const struct object *object);
/* Note that a field has a value that is not what was expected: "a list of 1 or 3 numbers". */
void field_wrong(const struct object *object, const char *key, const json_t *value, const char *expected);
/* The value of a field; NULL, and a failure, where it is missing. */
json_t *field(const struct object *object, const char *key);
bool has_field(const struct object *object, const char *key); /* false on failure */
struct object as_object(struct reader *reader, json_t *value, const char *path);
struct object field_object(const struct object *object, const char *key);
/* The object at this place of a list. */
struct object field_item(const struct object *object, const char *key, json_t *list, size_t index);
/* An object of names that are chosen freely, at most MAX_ITEMS; on failure its value is NULL. */
struct object field_named(const struct object *object, const char *key);
/* A list of no more items, and its size; on failure NULL, and the size is 0. */
json_t *field_list(const struct object *object, const char *key, size_t most, size_t *size);
/* The index in `known`, which ends in NULL; 0 on failure. */
int field_one_of(const struct object *object, const char *key, const char *const *known);
/* A copy of one line of text, and of a value that is not a field itself; NULL on failure. */
char *field_line(const struct object *object, const char *key);
char *line_of(const struct object *object, const char *key, const json_t *value);
char *field_sha256(const struct object *object, const char *key);
/* A whole number from 1 on; 1 on failure. */
int64_t field_integer(const struct object *object, const char *key);
bool is_number(const json_t *value);
/* A number from `least` to `most`; 0 on failure. */
struct number number_of(const struct object *object, const char *key, const json_t *value, double least, double most);
/* A number from 0 to `most`. */
double field_share(const struct object *object, const char *key, double most);

#endif
