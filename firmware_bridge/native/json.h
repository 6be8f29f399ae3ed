#ifndef EDGE_JSON_H
#define EDGE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_INTEGER, JSON_FLOAT, JSON_STRING, JSON_LIST, JSON_OBJECT };

/* A parsed text; its values are named by their index, the outermost is 0. */
struct json {
    const char *text;
    struct json_token *tokens;
    int count;
};

/* Parse UTF-8. Return NULL, or what is wrong. */
const char *json_parse(struct json *json, const char *text, size_t count);
void json_free(struct json *json);

enum json_kind json_kind(const struct json *json, int value);
/* How many values are in a list, members in an object. */
int json_size(const struct json *json, int value);
/* The first value of a list or first key of an object, where it is not empty. */
int json_first(int value);
/* The value after this one; of a key, the value after the key's value. */
int json_next(const struct json *json, int value);
/* The value of a member, -1 where there is none; of members of one name the last counts. */
int json_member(const struct json *json, int object, const char *key);
/* A string's or key's words as UTF-8; words with a zero character in them end there. */
char *json_words(const struct json *json, int value);
bool json_has_zero(const struct json *json, int value); /* whether there is one */
double json_number(const struct json *json, int value);
/* An integer's digits, as Python prints it. */
char *json_digits(const struct json *json, int value);
/* Python's ascii() of the value, at most 60 characters; "null" for null. */
void json_show(const struct json *json, int value, struct text *text);

#endif
