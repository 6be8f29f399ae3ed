#include "fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "memory.h"

#define REBUILD "build the model file again with edge-compress"

enum { SHOWN = 60 };

static bool ok(const struct reader *reader)
{
    return reader->failure->text == NULL;
}

bool fields_ok(const struct object *object)
{
    return ok(object->reader);
}

static const char *dot(const struct object *object)
{
    return object->path[0] ? "." : "";
}

/* At most 60 letters of the value's JSON, for a message; the caller frees them. */
static char *show(const json_t *value)
{
    char *whole = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    char *shown = need_print(whole && strlen(whole) > SHOWN ? "%.57s..." : "%s", whole ? whole : "nothing");
    free(whole);
    return shown;
}

void field_wrong(const struct object *object, const char *key, const json_t *value, const char *expected)
{
    struct reader *reader = object->reader;
    if (!ok(reader))
        return;
    char *shown = show(value);
    fail_as(reader->failure, "model.manifest", "the manifest of %s has %s%s%s = %s: expected %s; " REBUILD,
            reader->where, object->path, dot(object), key, shown, expected);
    free(shown);
}

struct object as_object(struct reader *reader, json_t *value, const char *path)
{
    struct object object = {.reader = reader, .value = value};
    snprintf(object.path, sizeof object.path, "%s", path);
    if (ok(reader) && !json_is_object(value)) {
        char *shown = show(value);
        fail_as(reader->failure, "model.manifest", "the manifest of %s has %s%s%s: expected an object; " REBUILD,
                reader->where, shown, *path ? " as " : "", path);
        free(shown);
    }
    return object;
}

json_t *field(const struct object *object, const char *key)
{
    struct reader *reader = object->reader;
    if (!ok(reader))
        return NULL;
    json_t *value = json_object_get(object->value, key);
    if (!value)
        fail_as(reader->failure, "model.manifest",
                "the manifest of %s lacks the field %s%s%s: docs/model-file.md lists what it needs; " REBUILD,
                reader->where, object->path, dot(object), key);
    return value;
}

bool has_field(const struct object *object, const char *key)
{
    return ok(object->reader) && json_object_get(object->value, key);
}

struct object field_object(const struct object *object, const char *key)
{
    char path[sizeof object->path + 32];
    snprintf(path, sizeof path, "%s%s%s", object->path, dot(object), key);
    json_t *value = field(object, key);
    return value ? as_object(object->reader, value, path) : (struct object){.reader = object->reader};
}

int field_one_of(const struct object *object, const char *key, const char *const *known)
{
    json_t *value = field(object, key);
    const char *words = json_string_value(value);
    int index = 0;
    if (!value)
        return 0;
    for (; words && known[index] && strcmp(words, known[index]) != 0; index++)
        ;
    if (words && known[index])
        return index;
    struct text expected = {0};
    for (index = 0; known[index]; index++)
        text_print(&expected, "%s\"%s\"", index ? " or " : "", known[index]);
    field_wrong(object, key, value, expected.at ? expected.at : "");
    text_free(&expected);
    return 0;
}

/* Whether it is one line of text that a terminal can show, of no more letters than anybody would read. */
static bool is_line(const char *words)
{
    const char *letter = words, *end = words + strlen(words);
    bool fits = letter < end && count_letters(words) <= MAX_LETTERS;
    while (fits && letter < end)
        fits = is_shown(next_letter(&letter, end));
    return fits;
}

char *line_of(const struct object *object, const char *key, const json_t *value)
{
    if (!value)
        return NULL;
    const char *words = json_string_value(value);
    if (words && is_line(words))
        return need_copy(words);
    field_wrong(object, key, value, "one line of text without control characters, at most 200 characters");
    return NULL;
}

char *field_line(const struct object *object, const char *key)
{
    return line_of(object, key, field(object, key));
}

char *field_sha256(const struct object *object, const char *key)
{
    const json_t *value = field(object, key);
    const char *words = json_string_value(value);
    if (words && strlen(words) == 64 && strspn(words, "0123456789abcdef") == 64)
        return need_copy(words);
    if (value)
        field_wrong(object, key, value, "a SHA-256 of 64 lower-case hexadecimal digits");
    return NULL;
}

int64_t field_integer(const struct object *object, const char *key)
{
    const json_t *value = field(object, key);
    if (value && json_is_integer(value) && json_integer_value(value) >= 1)
        return json_integer_value(value);
    if (value)
        field_wrong(object, key, value, "a whole number of at least 1");
    return 1;
}

bool is_number(const json_t *value)
{
    return json_is_number(value) && fabs(json_number_value(value)) <= 1e300;
}

struct number number_of(const struct object *object, const char *key, const json_t *value, double least,
                               double most)
{
    struct number number = {0};
    if (!value)
        return number;
    if (is_number(value) && json_number_value(value) >= least && json_number_value(value) <= most) {
        number.value = json_number_value(value);
        number.digits = json_is_integer(value) ? need_print("%lld", (long long)json_integer_value(value)) : NULL;
    } else {
        field_wrong(object, key, value,
              least == -INFINITY ? "a number" : most == INFINITY ? "a number from 0" : "a number from 0 to 1");
    }
    return number;
}

double field_share(const struct object *object, const char *key, double most)
{
    struct number number = number_of(object, key, field(object, key), 0, most);
    free(number.digits);
    return number.value;
}

json_t *field_list(const struct object *object, const char *key, size_t most, size_t *size)
{
    json_t *value = field(object, key);
    *size = 0;
    if (!value)
        return NULL;
    if (!json_is_array(value) || json_array_size(value) > most) {
        struct text expected = {0};
        text_print(&expected, "a list of at most %zu", most);
        field_wrong(object, key, value, json_is_array(value) ? expected.at : "a list");
        text_free(&expected);
        return NULL;
    }
    *size = json_array_size(value);
    return value;
}

struct object field_item(const struct object *object, const char *key, json_t *list, size_t index)
{
    char path[sizeof object->path + 32];
    snprintf(path, sizeof path, "%s%s%s[%zu]", object->path, dot(object), key, index);
    return as_object(object->reader, json_array_get(list, index), path);
}

struct object field_named(const struct object *object, const char *key)
{
    struct object named = field_object(object, key);
    const char *name;
    json_t *item;
    if (!ok(object->reader))
        return (struct object){.reader = object->reader};
    if (json_object_size(named.value) > MAX_ITEMS)
        field_wrong(object, key, named.value, "an object of at most 256 members");
    json_object_foreach(named.value, name, item) {
        if (!is_line(name))
            field_wrong(object, key, named.value, "names of one line without control characters, at most 200 characters");
    }
    return ok(object->reader) ? named : (struct object){.reader = object->reader};
}
