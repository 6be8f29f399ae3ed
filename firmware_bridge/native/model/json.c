/* JSON for the manifest, by jansson. */
#include "json.h"

#include <string.h>

enum { MAX_DEPTH = 32, SHOWN = 60 };

/* How many lists and objects lie in one another. Counted before jansson looks: it would go down with them. */
static int depth_of(const char *text, size_t count)
{
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t index = 0; index < count; index++) {
        char letter = text[index];
        if (in_string) {
            if (letter == '\\')
                index++;
            in_string = letter != '"';
        } else if (letter == '"') {
            in_string = true;
        } else if (letter == '[' || letter == '{') {
            deepest = ++depth > deepest ? depth : deepest;
        } else if (letter == ']' || letter == '}') {
            depth--;
        }
    }
    return deepest;
}

json_t *json_strict(const char *text, size_t count, struct text *why)
{
    json_error_t error;
    if (depth_of(text, count) > MAX_DEPTH) {
        text_print(why, "more than %d levels", MAX_DEPTH);
        return NULL;
    }
    json_t *value = json_loadb(text, count, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value)
        text_one_line(why, error.text);
    return value;
}

static void show_double(double number, struct text *text)
{
    struct text plain = {0};
    text_float(&plain, number);
    text_word(text, plain.at);
    text_free(&plain);
}

static void show(const json_t *value, struct text *text)
{
    json_t *any = (json_t *)value; /* jansson's iterators are for those who would change it, too */
    size_t index;
    const char *separator = "", *key;
    json_t *item;
    if (text->length > SHOWN)
        return;
    switch (json_typeof(value)) {
    case JSON_NULL:
        text_word(text, "None");
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        text_word(text, json_is_true(value) ? "True" : "False");
        break;
    case JSON_INTEGER:
        text_print(text, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        show_double(json_real_value(value), text);
        break;
    case JSON_STRING:
        text_repr(text, json_string_value(value), json_string_length(value), true);
        break;
    case JSON_ARRAY:
        text_word(text, "[");
        json_array_foreach(value, index, item) {
            if (text->length > SHOWN)
                break;
            text_word(text, separator);
            show(item, text);
            separator = ", ";
        }
        text_word(text, "]");
        break;
    case JSON_OBJECT:
        text_word(text, "{");
        json_object_foreach(any, key, item) {
            if (text->length > SHOWN)
                break;
            text_word(text, separator);
            text_repr(text, key, strlen(key), true);
            text_word(text, ": ");
            show(item, text);
            separator = ", ";
        }
        text_word(text, "}");
    }
}

void json_show(const json_t *value, struct text *text)
{
    if (json_is_null(value)) {
        text_word(text, "null");
        return;
    }
    struct text whole = {0};
    show(value, &whole);
    if (whole.length > SHOWN) {
        text_add(text, whole.at, SHOWN - 3);
        text_word(text, "...");
    } else {
        text_word(text, whole.at);
    }
    text_free(&whole);
}
