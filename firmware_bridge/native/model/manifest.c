#include "manifest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

#define REBUILD "build the model file again with edge-compress"

enum { VERSION = 1, MAX_LETTERS = 200, MAX_LABELS = 32768, MAX_ITEMS = 256 };

/* What is being read: an object of the manifest. After the first failure nothing more is read, and every getter
   returns something harmless. */
struct reader {
    const char *where;
    struct failure *failure;
};

struct object {
    struct reader *reader;
    json_t *value;
    char path[80]; /* leads to it from the top, for messages */
};

static bool ok(const struct reader *reader)
{
    return reader->failure->text == NULL;
}

static const char *dot(const struct object *object)
{
    return object->path[0] ? "." : "";
}

static void wrong(const struct object *object, const char *key, const json_t *value, const char *expected)
{
    struct reader *reader = object->reader;
    if (!ok(reader))
        return;
    struct text shown = {0};
    json_show(value, &shown);
    fail_as(reader->failure, "model.manifest", "the manifest of %s has %s%s%s = %s: expected %s; " REBUILD,
            reader->where, object->path, dot(object), key, shown.at, expected);
    text_free(&shown);
}

static struct object as_object(struct reader *reader, json_t *value, const char *path)
{
    struct object object = {.reader = reader, .value = value};
    snprintf(object.path, sizeof object.path, "%s", path);
    if (ok(reader) && !json_is_object(value)) {
        struct text shown = {0};
        json_show(value, &shown);
        fail_as(reader->failure, "model.manifest", "the manifest of %s holds %s%s%s: expected an object; " REBUILD,
                reader->where, shown.at, *path ? " as " : "", path);
        text_free(&shown);
    }
    return object;
}

/* The value of a field; NULL (and a failure) where it is missing. */
static json_t *get(const struct object *object, const char *key)
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

static struct object get_object(const struct object *object, const char *key)
{
    char path[sizeof object->path + 32];
    snprintf(path, sizeof path, "%s%s%s", object->path, dot(object), key);
    json_t *value = get(object, key);
    return value ? as_object(object->reader, value, path) : (struct object){.reader = object->reader};
}

/* The index in `known`, which ends in NULL; 0 on failure. */
static int one_of(const struct object *object, const char *key, char *const *known)
{
    json_t *value = get(object, key);
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
    wrong(object, key, value, expected.at ? expected.at : "");
    text_free(&expected);
    return 0;
}

/* Whether it is one line of text that a terminal can show, of no more letters than anybody would read. */
static bool is_line(const char *words)
{
    const char *letter = words, *end = words + strlen(words);
    bool fits = letter < end && count_letters(words) <= MAX_LETTERS;
    while (fits && letter < end)
        fits = is_printable(next_letter(&letter, end, true));
    return fits;
}

/* A copy of one line of printable text; NULL on failure. */
static char *words_of(const struct object *object, const char *key, const json_t *value)
{
    if (!value)
        return NULL;
    const char *words = json_string_value(value);
    if (words && is_line(words))
        return need_copy(words);
    wrong(object, key, value, "one line of printable text, at most 200 characters");
    return NULL;
}

static char *get_words(const struct object *object, const char *key)
{
    return words_of(object, key, get(object, key));
}

static char *get_sha256(const struct object *object, const char *key)
{
    const json_t *value = get(object, key);
    const char *words = json_string_value(value);
    if (words && strlen(words) == 64 && strspn(words, "0123456789abcdef") == 64)
        return need_copy(words);
    if (value)
        wrong(object, key, value, "a SHA-256 of 64 lower-case hexadecimal digits");
    return NULL;
}

/* A whole number from 1 on; 1 on failure. */
static int64_t get_integer(const struct object *object, const char *key)
{
    const json_t *value = get(object, key);
    if (value && json_is_integer(value) && json_integer_value(value) >= 1)
        return json_integer_value(value);
    if (value)
        wrong(object, key, value, "a whole number of at least 1");
    return 1;
}

static bool is_number(const json_t *value)
{
    return json_is_number(value) && fabs(json_number_value(value)) <= 1e300;
}

static struct number number_of(const struct object *object, const char *key, const json_t *value, double least,
                               double most)
{
    struct number number = {0};
    if (!value)
        return number;
    if (is_number(value) && json_number_value(value) >= least && json_number_value(value) <= most) {
        number.value = json_number_value(value);
        number.digits = json_is_integer(value) ? need_print("%lld", (long long)json_integer_value(value)) : NULL;
    } else {
        wrong(object, key, value,
              least == -INFINITY ? "a number" : most == INFINITY ? "a number from 0" : "a number from 0 to 1");
    }
    return number;
}

static double get_share(const struct object *object, const char *key, double most)
{
    struct number number = number_of(object, key, get(object, key), 0, most);
    free(number.digits);
    return number.value;
}

/* A list of no more items, and its size; on failure NULL, and the size is 0. */
static json_t *get_list(const struct object *object, const char *key, size_t most, size_t *size)
{
    json_t *value = get(object, key);
    *size = 0;
    if (!value)
        return NULL;
    if (!json_is_array(value) || json_array_size(value) > most) {
        struct text expected = {0};
        text_print(&expected, "a list of at most %zu", most);
        wrong(object, key, value, json_is_array(value) ? expected.at : "a list");
        text_free(&expected);
        return NULL;
    }
    *size = json_array_size(value);
    return value;
}

/* An object of names that are chosen freely; on failure its value is NULL. */
static struct object get_named(const struct object *object, const char *key)
{
    struct object named = get_object(object, key);
    const char *name;
    json_t *item;
    if (!ok(object->reader))
        return (struct object){.reader = object->reader};
    if (json_object_size(named.value) > MAX_ITEMS)
        wrong(object, key, named.value, "an object of at most 256 members");
    json_object_foreach(named.value, name, item) {
        if (!is_line(name))
            wrong(object, key, named.value, "names of one line of printable text, at most 200 characters");
    }
    return ok(object->reader) ? named : (struct object){.reader = object->reader};
}

static void get_numbers(const struct object *object, const char *key, double numbers[3])
{
    size_t size;
    const json_t *list = get_list(object, key, MAX_ITEMS, &size);
    bool all = size > 0;
    for (size_t index = 0; index < size; index++) {
        const json_t *item = json_array_get(list, index);
        all = all && is_number(item);
        if (all && index < 3)
            numbers[index] = json_number_value(item);
    }
    if (!ok(object->reader))
        return;
    if (!all)
        wrong(object, key, list, "a list of numbers");
    for (size_t index = size; index < 3; index++)
        numbers[index] = numbers[0];
}

static void check_size(const struct object *object, const char *key, int channels)
{
    size_t size;
    get_list(object, key, MAX_ITEMS, &size);
    if (!ok(object->reader) || size == 1 || size == (size_t)channels)
        return;
    struct text expected = {0};
    text_print(&expected, "a list of 1 or %d numbers", channels);
    wrong(object, key, get(object, key), expected.at);
    text_free(&expected);
}

static void read_window(struct value_window *window, const struct object *object)
{
    const json_t *bits = json_object_get(object->value, "bits");
    if (bits) { /* N of them stand for the window [0, 2^N - 1] */
        if (json_is_integer(bits) && json_integer_value(bits) >= 1 && json_integer_value(bits) <= MOST_BITS &&
            !json_object_get(object->value, "window"))
            *window = (struct value_window){0, (1 << json_integer_value(bits)) - 1};
        else
            wrong(object, "bits", bits, "a whole number from 1 to 16, and no window beside it");
        return;
    }
    if (!json_object_get(object->value, "window"))
        return;
    const json_t *value = get(object, "window"), *low = json_array_get(value, 0), *high = json_array_get(value, 1);
    if (json_array_size(value) == 2 && json_is_integer(low) && json_is_integer(high) && json_integer_value(low) >= 0 &&
        json_integer_value(low) < json_integer_value(high) && json_integer_value(high) <= MOST)
        *window = (struct value_window){(int32_t)json_integer_value(low), (int32_t)json_integer_value(high)};
    else
        wrong(object, "window", value, "two whole numbers, 0 <= low < high <= 65535");
}

static void read_input(struct preprocessing *input, const struct object *object)
{
    static char *const colours[] = {"grey", "rgb", NULL}, *const fits[] = {"stretch", "crop", "pad", NULL};
    input->is_grey = one_of(object, "color", colours) == 0;
    int64_t channels = get_integer(object, "channels");
    if (channels != 3 && !(input->is_grey && channels == 1) && ok(object->reader))
        wrong(object, "channels", get(object, "channels"), input->is_grey ? "1 or 3" : "3");
    input->channels = channels == 1 ? 1 : 3;
    get_numbers(object, "mean", input->mean);
    get_numbers(object, "std", input->std);
    check_size(object, "mean", input->channels);
    check_size(object, "std", input->channels);
    for (int channel = 0; channel < input->channels && ok(object->reader); channel++)
        if (!(input->std[channel] > 0))
            wrong(object, "std", get(object, "std"), "numbers greater than 0");
    input->height = get_integer(object, "height");
    input->width = get_integer(object, "width");
    input->fit = (enum fit)one_of(object, "fit", fits);
    if (ok(object->reader))
        read_window(&input->window, object);
}

static int compare_words(const void *one, const void *other)
{
    const char *const *a = one, *const *b = other;
    return strcmp(*a, *b);
}

static bool all_differ(char *const *words, size_t count)
{
    char **sorted = need((count + 1) * sizeof *sorted); /* very many labels take no long time so */
    bool differ = true;
    memcpy(sorted, words, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_words);
    for (size_t index = 1; index < count; index++)
        differ = differ && strcmp(sorted[index - 1], sorted[index]) != 0;
    free(sorted);
    return differ;
}

static void read_labels(struct manifest *manifest, const struct object *top)
{
    size_t size;
    const json_t *list = get_list(top, "labels", MAX_LABELS, &size);
    manifest->labels = need((size + 1) * sizeof *manifest->labels); /* ends in NULL */
    while (manifest->label_count < size) {
        char *label = words_of(top, "labels", json_array_get(list, manifest->label_count));
        if (label == NULL)
            return;
        manifest->labels[manifest->label_count++] = label;
    }
    if (!ok(top->reader))
        return;
    if (manifest->is_segmentation && size != 1) {
        wrong(top, "labels", list, "exactly 1 string, what the mask of a segmentation shows");
    } else if (!manifest->is_segmentation && (size < 2 || !all_differ(manifest->labels, size))) {
        wrong(top, "labels", list, "2 or more different strings");
    }
}

static void read_decision(struct manifest *manifest, const struct object *top)
{
    const json_t *value = get(top, "decision");
    if (!value)
        return;
    if (json_is_null(value)) {
        if (manifest->is_segmentation)
            wrong(top, "decision", value, "an object of label, threshold and minimum_area, for a segmentation");
        return;
    }
    struct object object = get_object(top, "decision");
    int label = one_of(&object, "label", manifest->labels);
    if (!ok(top->reader))
        return;
    manifest->decision.label = manifest->labels[label];
    manifest->decision.threshold = get_share(&object, "threshold", 1);
    if (manifest->is_segmentation)
        manifest->decision.minimum_area = get_share(&object, "minimum_area", 1);
}

static void read_targets(struct manifest *manifest, const struct object *top)
{
    static char *const betters[] = {"lower", "higher", NULL};
    size_t size;
    const json_t *list = get_list(top, "targets", MAX_ITEMS, &size);
    char *names[MAX_ITEMS];
    manifest->targets = need(size * sizeof *manifest->targets);
    for (size_t index = 0; index < size && ok(top->reader); index++) {
        char path[80];
        snprintf(path, sizeof path, "targets[%zu]", index);
        struct object object = as_object(top->reader, json_array_get(list, index), path);
        struct target target = {.lower_is_better = one_of(&object, "better", betters) == 0};
        target.name = get_words(&object, "name");
        target.target = number_of(&object, "target", get(&object, "target"), -INFINITY, INFINITY);
        free(get_words(&object, "source"));
        names[index] = target.name;
        manifest->targets[manifest->target_count++] = target;
    }
    if (ok(top->reader) && !all_differ(names, size)) /* each would be judged by the other's direction */
        wrong(top, "targets", list, "targets of different names");
}

static void read_measured(struct manifest *manifest, const struct object *top)
{
    struct object object = get_named(top, "measured");
    const char *name;
    json_t *item;
    if (!ok(top->reader))
        return;
    manifest->measured = need(json_object_size(object.value) * sizeof *manifest->measured);
    json_object_foreach(object.value, name, item) {
        struct measured *measured = &manifest->measured[manifest->measured_count++];
        measured->name = need_copy(name);
        measured->number = number_of(&object, name, item, -INFINITY, INFINITY);
    }
}

static void read_vector(struct golden *golden, const struct object *object)
{
    struct object outputs = get_named(object, "outputs");
    const char *path;
    json_t *item;
    if (!ok(object->reader))
        return;
    if (json_object_size(outputs.value) == 0)
        wrong(object, "outputs", outputs.value, "a member for at least one kernel path");
    golden->outputs = need(json_object_size(outputs.value) * sizeof *golden->outputs);
    json_object_foreach(outputs.value, path, item) {
        golden->outputs[golden->output_count].member = words_of(&outputs, path, item);
        golden->outputs[golden->output_count++].path = need_copy(path);
    }
    if (golden->output_count)
        qsort(golden->outputs, golden->output_count, sizeof *golden->outputs, compare_words); /* the path comes first */
    golden->image = get_words(object, "image");
    golden->input_sha256 = get_sha256(object, "input_sha256");
    golden->tolerance = get_share(object, "tolerance", INFINITY);
}

static void read_golden(struct manifest *manifest, const struct object *top)
{
    size_t size;
    const json_t *list = get_list(top, "golden", MAX_ITEMS, &size);
    char *images[MAX_ITEMS];
    manifest->golden = need(size * sizeof *manifest->golden);
    for (size_t index = 0; index < size && ok(top->reader); index++) {
        char path[80];
        snprintf(path, sizeof path, "golden[%zu]", index);
        struct object object = as_object(top->reader, json_array_get(list, index), path);
        if (!ok(top->reader))
            return;
        read_vector(&manifest->golden[manifest->golden_count++], &object);
        images[index] = manifest->golden[index].image;
    }
    if (ok(top->reader) && !all_differ(images, size))
        wrong(top, "golden", list, "vectors of different images");
}

static void check_operators(const struct object *runtime)
{
    struct object operators = get_named(runtime, "operators");
    const char *name;
    json_t *item;
    if (!ok(runtime->reader))
        return;
    json_object_foreach(operators.value, name, item)
        get_integer(&operators, name);
}

static void check_version(const struct object *top)
{
    int64_t version = get_integer(top, "version");
    if (ok(top->reader) && version > VERSION)
        fail_as(top->reader->failure, "model.version",
                "the manifest of %s has version %lld, this program reads version %d: upgrade edge-infer on this device",
                top->reader->where, (long long)version, VERSION);
}

static void check_name(const struct object *top, const char *name)
{
    if (ok(top->reader) && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(name))
        wrong(top, "name", get(top, "name"), "lower-case letters, digits, - and _");
}

bool manifest_parse(struct manifest *manifest, const char *text, size_t count, const char *path,
                    struct failure *failure)
{
    static char *const formats[] = {"edge-infer", NULL}, *const tasks[] = {"classification", "segmentation", NULL};
    static char *const activations[][3] = {{"softmax", "none", NULL}, {"sigmoid", "none", NULL}};
    static char *const types[] = {"int8", "float32", NULL};
    struct text why = {0};
    *manifest = (struct manifest){0};
    json_t *json = json_strict(text, count, &why);
    if (!json) {
        fail_as(failure, "model.manifest", "%s has a manifest that is not JSON (%.80s): " REBUILD, path, why.at);
        text_free(&why);
        return false;
    }
    struct reader reader = {path, failure};
    struct object top = as_object(&reader, json, "");
    one_of(&top, "format", formats);
    check_version(&top);
    manifest->is_segmentation = one_of(&top, "task", tasks) == 1;
    read_labels(manifest, &top);
    manifest->name = get_words(&top, "name");
    check_name(&top, manifest->name);
    struct object model = get_object(&top, "model"), runtime = get_object(&top, "runtime");
    manifest->title = get_words(&top, "title");
    manifest->are_scores = one_of(&top, "activation", activations[manifest->is_segmentation]) == 1;
    read_decision(manifest, &top);
    struct object input = get_object(&top, "input");
    read_input(&manifest->input, &input);
    read_targets(manifest, &top);
    read_measured(manifest, &top);
    get_object(&top, "provenance");
    manifest->model_bytes = (uint64_t)get_integer(&model, "bytes");
    manifest->model_sha256 = get_sha256(&model, "sha256");
    manifest->is_int8 = one_of(&runtime, "type", types) == 0;
    check_operators(&runtime);
    read_golden(manifest, &top);
    json_decref(json);
    return failure->text == NULL;
}

void manifest_free(struct manifest *manifest)
{
    free(manifest->name);
    free(manifest->title);
    free(manifest->model_sha256);
    for (size_t index = 0; index < manifest->label_count; index++)
        free(manifest->labels[index]);
    free(manifest->labels);
    for (size_t index = 0; index < manifest->target_count; index++) {
        free(manifest->targets[index].name);
        free(manifest->targets[index].target.digits);
    }
    free(manifest->targets);
    for (size_t index = 0; index < manifest->measured_count; index++) {
        free(manifest->measured[index].name);
        free(manifest->measured[index].number.digits);
    }
    free(manifest->measured);
    for (size_t index = 0; index < manifest->golden_count; index++) {
        struct golden *golden = &manifest->golden[index];
        for (size_t output = 0; output < golden->output_count; output++) {
            free(golden->outputs[output].path);
            free(golden->outputs[output].member);
        }
        free(golden->outputs);
        free(golden->image);
        free(golden->input_sha256);
    }
    free(manifest->golden);
    *manifest = (struct manifest){0};
}

const struct number *manifest_measured(const struct manifest *manifest, const char *name)
{
    for (size_t index = 0; index < manifest->measured_count; index++)
        if (strcmp(manifest->measured[index].name, name) == 0)
            return &manifest->measured[index].number;
    return NULL;
}
