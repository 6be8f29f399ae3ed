#ifndef EDGE_FLATBUFFER_H
#define EDGE_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

#define CONVERT "get the file again, or convert the network again"
#define UPGRADE "upgrade edge-infer and the runtime, or convert the network again with an older converter"

/* A field of a table, by the schema. */
struct field {
    const char *name; /* NULL: no longer used */
    char what;        /* a scalar's letter, '[' vector, 's' string, 'T' table, 'U' union */
    char element;     /* of a vector: a scalar's letter, 's', or 'T' */
    signed char limit, initial; /* the value is less, 0: no limit; where the file leaves it out */
};

struct kind {
    const char *name;
    const struct field *fields;
    int count;
};

/* Of a scalar its value, of a vector or string where it begins and its length, else where it leads; 0: nowhere. */
struct value {
    int64_t number;
    double real;
    size_t at, count;
};

/* A TFLite flatbuffer that is being read. After the first fault every function fails, and `value`s are not to be used. */
struct flatbuffer {
    const unsigned char *data;
    size_t size;
    const char *where; /* the file's name, for messages */
    struct failure *failure;
    size_t tables, work;
};

bool flatbuffer_ok(const struct flatbuffer *flatbuffer);
/* Note what is wrong, "NAME has a network ..."; return false. */
bool flatbuffer_fault(struct flatbuffer *flatbuffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define flatbuffer_damaged(flatbuffer, what, ...) \
    flatbuffer_fault(flatbuffer, "that is damaged (" what "): " CONVERT, ##__VA_ARGS__)

/* Count elements of vectors that are looked at: one vector may be named by very many tables. */
bool flatbuffer_spend(struct flatbuffer *flatbuffer, size_t count);
/* Where the offset at `at` leads, 0 on failure; everything there begins with 4 aligned bytes. */
size_t flatbuffer_follow(struct flatbuffer *flatbuffer, size_t at);
/* Read the table at `at` (0: it is missing) into `values`, one for each of the kind's fields. */
bool flatbuffer_table(struct flatbuffer *flatbuffer, const struct kind *kind, size_t at, struct value *values);
/* Where a table of a vector of tables is, 0 on failure. */
size_t flatbuffer_item(struct flatbuffer *flatbuffer, const struct value *vector, size_t index);
/* How many tables a vector has, 0 on failure. */
size_t flatbuffer_items(struct flatbuffer *flatbuffer, const struct value *vector);
/* The numbers of a vector, which the caller frees. */
int32_t *flatbuffer_numbers(struct flatbuffer *flatbuffer, const struct value *vector, size_t *count);

uint32_t four_bytes(const unsigned char *at);
uint64_t eight_bytes(const unsigned char *at);
float float_bytes(const unsigned char *at);

#endif
