/* JSON for the manifest, by jansson. */
#include "json.h"

#include <string.h>

#include "constants.h"

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
