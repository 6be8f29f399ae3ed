/* JSON for the manifest: jsmn finds the tokens, and what it is lax about is checked here. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <jsmn.h>
#pragma GCC diagnostic pop

#include "memory.h"

enum { DEEPEST = 900, SHOWN = 60 };

struct json_token {
    jsmntok_t jsmn;
};

static const jsmntok_t *at(const struct json *json, int value)
{
    return &json->tokens[value].jsmn;
}

static size_t span(const char *from, const char *letters, size_t least)
{
    size_t count = strspn(from, letters);
    return count >= least ? count : 0;
}

/* Whether the token is a number, true, false or null as JSON writes them. */
static bool is_primitive(const char *text, size_t count)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t index = 0; index < 3; index++)
        if (count == strlen(words[index]) && memcmp(text, words[index], count) == 0)
            return true;
    const char *letter = text, *end = text + count;
    letter += *letter == '-';
    size_t whole = span(letter, "0123456789", 1);
    if (!whole || (whole > 1 && *letter == '0'))
        return false;
    letter += whole;
    if (letter < end && *letter == '.') {
        size_t part = span(letter + 1, "0123456789", 1);
        if (!part)
            return false;
        letter += 1 + part;
    }
    if (letter < end && (*letter == 'e' || *letter == 'E')) {
        letter++;
        letter += *letter == '+' || *letter == '-';
        size_t part = span(letter, "0123456789", 1);
        if (!part)
            return false;
        letter += part;
    }
    return letter == end;
}

/* Whether a string holds no raw control character, and its bytes are UTF-8. */
static bool is_string(const char *text, size_t count)
{
    for (const char *end = text + count; text < end;) {
        if ((unsigned char)*text < ' ')
            return false;
        const char *before = text;
        uint32_t letter = next_letter(&text, end, false);
        if (letter >= 0xdc80 && letter <= 0xdcff && text == before + 1)
            return false;
    }
    return true;
}

/* Whether between `from` and `to` is white space and the one `separator` (0: none). */
static bool divides(const char *text, int from, int to, char separator)
{
    bool met = separator == 0;
    for (int index = from; index < to; index++) {
        if (!met && text[index] == separator)
            met = true;
        else if (strchr(" \t\n\r", text[index]) == NULL || text[index] == 0)
            return false;
    }
    return met;
}

static int outer_begin(const jsmntok_t *token)
{
    return token->start - (token->type == JSMN_STRING);
}

static int outer_end(const jsmntok_t *token)
{
    return token->end + (token->type == JSMN_STRING);
}

/* jsmn takes text with separators missing, twice or of the wrong kind; so hold what is between the tokens. */
static const char *check(const struct json *json, size_t count)
{
    int *depths = need(sizeof *depths * (size_t)json->count), *last_end = need(sizeof *last_end * (size_t)json->count);
    const char *wrong = NULL;
    for (int index = 0; index < json->count && !wrong; index++) {
        const jsmntok_t *token = at(json, index);
        size_t length = (size_t)(token->end - token->start);
        int parent = token->parent;
        bool is_key = false;
        if (index == 0) {
            if (parent != -1 || !divides(json->text, 0, outer_begin(token), 0) ||
                !divides(json->text, outer_end(token), (int)count, 0))
                wrong = "more than one value";
        } else if (parent < 0) {
            wrong = "more than one value";
        } else {
            const jsmntok_t *above = at(json, parent);
            depths[index] = depths[parent] + 1;
            is_key = above->type == JSMN_OBJECT;
            bool first = last_end[parent] == 0;
            int from = first ? above->start + 1 : last_end[parent];
            char separator = above->type == JSMN_STRING ? ':' : first ? 0 : ',';
            if (above->type == JSMN_STRING)
                from = outer_end(above);
            if (above->type == JSMN_PRIMITIVE || !divides(json->text, from, outer_begin(token), separator))
                wrong = "a separator is missing";
            last_end[parent] = outer_end(token);
            if (above->type == JSMN_STRING && above->parent >= 0)
                last_end[above->parent] = outer_end(token);
        }
        if (is_key && (token->type != JSMN_STRING || token->size != 1))
            wrong = "a key without a value";
        else if (!is_key && (token->type == JSMN_STRING || token->type == JSMN_PRIMITIVE) && token->size != 0)
            wrong = "a value with a value";
        else if (token->type == JSMN_PRIMITIVE && !is_primitive(json->text + token->start, length))
            wrong = "an unknown word";
        else if (token->type == JSMN_STRING && !is_string(json->text + token->start, length))
            wrong = "a string with control characters, or not in UTF-8";
        if (depths[index] > DEEPEST)
            wrong = "too deep";
    }
    for (int index = 0; index < json->count && !wrong; index++) {
        const jsmntok_t *token = at(json, index);
        if (token->type == JSMN_OBJECT || token->type == JSMN_ARRAY)
            if (!divides(json->text, last_end[index] ? last_end[index] : token->start + 1, token->end - 1, 0))
                wrong = "a separator too many";
    }
    free(depths);
    free(last_end);
    return wrong;
}

const char *json_parse(struct json *json, const char *text, size_t count)
{
    *json = (struct json){.text = text};
    if (memchr(text, 0, count))
        return "a zero character";
    jsmn_parser parser;
    jsmn_init(&parser);
    int tokens = jsmn_parse(&parser, text, count, NULL, 0);
    if (tokens < 1)
        return tokens == 0 || tokens == JSMN_ERROR_PART ? "it ends early" : "an unexpected character";
    json->tokens = need(sizeof *json->tokens * (size_t)tokens);
    jsmn_init(&parser);
    json->count = jsmn_parse(&parser, text, count, &json->tokens->jsmn, (unsigned)tokens);
    if (json->count < 1 || json->count > tokens)
        return "an unexpected character";
    return check(json, count);
}

void json_free(struct json *json)
{
    free(json->tokens);
    *json = (struct json){0};
}

enum json_kind json_kind(const struct json *json, int value)
{
    const jsmntok_t *token = at(json, value);
    const char *text = json->text + token->start;
    switch (token->type) {
    case JSMN_OBJECT:
        return JSON_OBJECT;
    case JSMN_ARRAY:
        return JSON_LIST;
    case JSMN_STRING:
        return JSON_STRING;
    default:
        if (*text == 't' || *text == 'f')
            return JSON_BOOL;
        if (*text == 'n')
            return JSON_NULL;
        for (int index = token->start; index < token->end; index++)
            if (strchr(".eE", json->text[index]))
                return JSON_FLOAT;
        return JSON_INTEGER;
    }
}

int json_size(const struct json *json, int value)
{
    return at(json, value)->size;
}

int json_first(int value)
{
    return value + 1;
}

int json_next(const struct json *json, int value)
{
    int end = at(json, value)->end;
    bool is_key = at(json, value)->type == JSMN_STRING && at(json, value)->size == 1;
    if (is_key)
        return json_next(json, value + 1);
    for (value++; value < json->count && at(json, value)->start < end;)
        value++;
    return value;
}

static uint32_t four_digits(const char *text)
{
    char digits[5] = {text[0], text[1], text[2], text[3], 0};
    return (uint32_t)strtoul(digits, NULL, 16); /* jsmn has seen that they are hexadecimal */
}

static void unescape(const struct json *json, int value, struct text *words)
{
    const char *text = json->text + at(json, value)->start, *end = json->text + at(json, value)->end;
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    text_word(words, "");
    while (text < end) {
        if (*text != '\\') {
            text_add(words, text++, 1);
        } else if (text[1] == 'u') {
            uint32_t letter = four_digits(text + 2);
            text += 6;
            if (letter >= 0xd800 && letter < 0xdc00 && end - text >= 6 && text[0] == '\\' && text[1] == 'u') {
                uint32_t low = four_digits(text + 2);
                if (low >= 0xdc00 && low < 0xe000) {
                    letter = 0x10000 + ((letter - 0xd800) << 10) + (low - 0xdc00);
                    text += 6;
                }
            }
            text_letter(words, letter);
        } else {
            const char *known = strchr(from, text[1]);
            text_add(words, known ? &to[known - from] : &text[1], 1);
            text += 2;
        }
    }
}

char *json_words(const struct json *json, int value)
{
    struct text words = {0};
    unescape(json, value, &words);
    return words.at;
}

bool json_has_zero(const struct json *json, int value)
{
    struct text words = {0};
    unescape(json, value, &words);
    bool has = strlen(words.at) < words.length;
    text_free(&words);
    return has;
}

int json_member(const struct json *json, int object, const char *key)
{
    int found = -1, at_key = json_first(object);
    for (int left = json_size(json, object); left > 0; left--) {
        char *words = json_words(json, at_key);
        if (strcmp(words, key) == 0 && !json_has_zero(json, at_key))
            found = at_key + 1;
        free(words);
        at_key = json_next(json, at_key);
    }
    return found;
}

double json_number(const struct json *json, int value)
{
    return strtod(json->text + at(json, value)->start, NULL); /* what follows a number is no part of one */
}

char *json_digits(const struct json *json, int value)
{
    const jsmntok_t *token = at(json, value);
    char *digits = strndup(json->text + token->start, (size_t)(token->end - token->start));
    if (digits && strcmp(digits, "-0") == 0)
        strcpy(digits, "0");
    return digits ? digits : need_copy("");
}

static void show(const struct json *json, int value, struct text *text)
{
    if (text->length > SHOWN)
        return;
    char *words;
    struct text plain = {0};
    int item = json_first(value);
    switch (json_kind(json, value)) {
    case JSON_NULL:
        text_word(text, "None");
        break;
    case JSON_BOOL:
        text_word(text, json->text[at(json, value)->start] == 't' ? "True" : "False");
        break;
    case JSON_INTEGER:
        words = json_digits(json, value);
        text_word(text, strlen(words) > 4300 ? "a monstrous int" : words);
        free(words);
        break;
    case JSON_FLOAT:
        text_float(&plain, json_number(json, value));
        text_word(text, strcmp(plain.at, "Infinity") == 0 ? "inf" : strcmp(plain.at, "-Infinity") == 0 ? "-inf" : plain.at);
        text_free(&plain);
        break;
    case JSON_STRING:
        unescape(json, value, &plain);
        text_repr(text, plain.at, plain.length, true);
        text_free(&plain);
        break;
    default:
        text_word(text, json_kind(json, value) == JSON_LIST ? "[" : "{");
        for (int left = json_size(json, value); left > 0 && text->length <= SHOWN; left--) {
            show(json, item, text);
            if (json_kind(json, value) == JSON_OBJECT) {
                text_word(text, ": ");
                show(json, item + 1, text);
            }
            if (left > 1)
                text_word(text, ", ");
            item = json_next(json, item);
        }
        text_word(text, json_kind(json, value) == JSON_LIST ? "]" : "}");
    }
}

void json_show(const struct json *json, int value, struct text *text)
{
    if (json_kind(json, value) == JSON_NULL) {
        text_word(text, "null");
        return;
    }
    struct text whole = {0};
    show(json, value, &whole);
    if (whole.length > SHOWN) {
        text_add(text, whole.at, SHOWN - 3);
        text_word(text, "...");
    } else {
        text_word(text, whole.at);
    }
    text_free(&whole);
}
