#include "manifest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

#define REBUILD "build the model file again with edge-compress"

enum { VERSION = 1 };

/* What is being read: an object of the manifest. After the first failure nothing more is read, and every getter
   returns something harmless. */
struct reader {
    const struct json *json;
    const char *where;
    struct failure *failure;
};

struct object {
    struct reader *reader;
    int value;
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

static void wrong(const struct object *object, const char *key, int value, const char *expected)
{
    struct reader *reader = object->reader;
    if (!ok(reader))
        return;
    struct text shown = {0};
    json_show(reader->json, value, &shown);
    fail(reader->failure, "the manifest of %s has %s%s%s = %s: expected %s; " REBUILD, reader->where, object->path,
         dot(object), key, shown.at, expected);
    text_free(&shown);
}

static struct object as_object(struct reader *reader, int value, const char *path)
{
    struct object object = {.reader = reader, .value = value};
    snprintf(object.path, sizeof object.path, "%s", path);
    if (ok(reader) && json_kind(reader->json, value) != JSON_OBJECT) {
        struct text shown = {0};
        json_show(reader->json, value, &shown);
        fail(reader->failure, "the manifest of %s holds %s%s%s: expected an object; " REBUILD, reader->where, shown.at,
             *path ? " as " : "", path);
        text_free(&shown);
    }
    return object;
}

/* The value of a field; -1 (and a failure) where it is missing. */
static int get(const struct object *object, const char *key)
{
    struct reader *reader = object->reader;
    if (!ok(reader))
        return -1;
    int value = json_member(reader->json, object->value, key);
    if (value < 0)
        fail(reader->failure,
             "the manifest of %s lacks the field %s%s%s: docs/model-file.md lists what it needs; " REBUILD,
             reader->where, object->path, dot(object), key);
    return value;
}

static struct object get_object(const struct object *object, const char *key)
{
    char path[sizeof object->path + 32];
    snprintf(path, sizeof path, "%s%s%s", object->path, dot(object), key);
    int value = get(object, key);
    if (value < 0)
        return (struct object){.reader = object->reader};
    return as_object(object->reader, value, path);
}

/* The index in `known`, which ends in NULL; 0 on failure. */
static int one_of(const struct object *object, const char *key, char *const *known)
{
    int value = get(object, key), index = 0;
    if (value < 0)
        return 0;
    if (json_kind(object->reader->json, value) == JSON_STRING && !json_has_zero(object->reader->json, value)) {
        char *words = json_words(object->reader->json, value);
        for (; known[index] && strcmp(words, known[index]) != 0; index++)
            ;
        free(words);
        if (known[index])
            return index;
    }
    struct text expected = {0};
    for (index = 0; known[index]; index++)
        text_print(&expected, "%s\"%s\"", index ? " or " : "", known[index]);
    wrong(object, key, value, expected.at ? expected.at : "");
    text_free(&expected);
    return 0;
}

/* One line of printable text; NULL on failure. */
static char *words_of(const struct object *object, const char *key, int value)
{
    if (value < 0)
        return NULL;
    if (json_kind(object->reader->json, value) == JSON_STRING && !json_has_zero(object->reader->json, value)) {
        char *words = json_words(object->reader->json, value);
        const char *letter = words, *end = words + strlen(words);
        bool printable = letter < end;
        while (printable && letter < end)
            printable = is_printable(next_letter(&letter, end, true));
        if (printable)
            return words;
        free(words);
    }
    wrong(object, key, value, "one line of printable text");
    return NULL;
}

static char *get_words(const struct object *object, const char *key)
{
    return words_of(object, key, get(object, key));
}

static char *get_sha256(const struct object *object, const char *key)
{
    int value = get(object, key);
    if (value < 0)
        return NULL;
    if (json_kind(object->reader->json, value) == JSON_STRING) {
        char *words = json_words(object->reader->json, value);
        if (strlen(words) == 64 && strspn(words, "0123456789abcdef") == 64 &&
            !json_has_zero(object->reader->json, value))
            return words;
        free(words);
    }
    wrong(object, key, value, "a SHA-256 of 64 lower-case hexadecimal digits");
    return NULL;
}

/* A whole number from 1 on; 1 on failure. */
static int64_t get_integer(const struct object *object, const char *key)
{
    int value = get(object, key);
    if (value < 0)
        return 1;
    if (json_kind(object->reader->json, value) == JSON_INTEGER && json_number(object->reader->json, value) < 9.3e18) {
        char *digits = json_digits(object->reader->json, value);
        unsigned long long number = *digits == '-' ? 0 : strtoull(digits, NULL, 10);
        free(digits);
        if (number >= 1 && number <= INT64_MAX)
            return (int64_t)number;
    }
    wrong(object, key, value, "a whole number of at least 1");
    return 1;
}

static bool is_number(const struct json *json, int value)
{
    enum json_kind kind = json_kind(json, value);
    return (kind == JSON_INTEGER || kind == JSON_FLOAT) && fabs(json_number(json, value)) <= 1e300;
}

static struct number number_of(const struct object *object, const char *key, int value, double least, double most)
{
    struct number number = {0};
    if (value < 0)
        return number;
    const struct json *json = object->reader->json;
    if (is_number(json, value) && json_number(json, value) >= least && json_number(json, value) <= most) {
        number.value = json_number(json, value);
        number.digits = json_kind(json, value) == JSON_INTEGER ? json_digits(json, value) : NULL;
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

/* The first item of a list, and its size; on failure the size is 0. */
static int get_list(const struct object *object, const char *key, size_t *size)
{
    int value = get(object, key);
    *size = 0;
    if (value < 0)
        return 0;
    if (json_kind(object->reader->json, value) != JSON_LIST) {
        wrong(object, key, value, "a list");
        return 0;
    }
    *size = (size_t)json_size(object->reader->json, value);
    return json_first(value);
}

static void get_numbers(const struct object *object, const char *key, double numbers[3])
{
    size_t size;
    int item = get_list(object, key, &size);
    const struct json *json = object->reader->json;
    bool all = size > 0;
    for (size_t index = 0; index < size; index++, item = json_next(json, item)) {
        all = all && is_number(json, item);
        if (all && index < 3)
            numbers[index] = json_number(json, item);
    }
    if (!ok(object->reader))
        return;
    if (!all)
        wrong(object, key, get(object, key), "a list of numbers");
    for (size_t index = size; index < 3; index++)
        numbers[index] = numbers[0];
}

static void hold_size(const struct object *object, const char *key, int channels)
{
    size_t size;
    get_list(object, key, &size);
    if (!ok(object->reader) || size == 1 || size == (size_t)channels)
        return;
    struct text expected = {0};
    text_print(&expected, "a list of 1 or %d numbers", channels);
    wrong(object, key, get(object, key), expected.at);
    text_free(&expected);
}

static void read_window(struct value_window *window, const struct object *object)
{
    const struct json *json = object->reader->json;
    int value = get(object, "window"), item = json_first(value);
    bool fits = json_kind(json, value) == JSON_LIST && json_size(json, value) == 2;
    double ends[2] = {0};
    for (int index = 0; fits && index < 2; index++, item = json_next(json, item)) {
        fits = json_kind(json, item) == JSON_INTEGER;
        ends[index] = fits ? json_number(json, item) : 0;
    }
    if (!fits || !(ends[0] >= 0 && ends[0] < ends[1] && ends[1] <= MOST)) {
        wrong(object, "window", value, "two whole numbers, 0 <= low < high <= 65535");
        return;
    }
    *window = (struct value_window){(int32_t)ends[0], (int32_t)ends[1]};
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
    hold_size(object, "mean", input->channels);
    hold_size(object, "std", input->channels);
    for (int channel = 0; channel < input->channels && ok(object->reader); channel++)
        if (!(input->std[channel] > 0))
            wrong(object, "std", get(object, "std"), "numbers greater than 0");
    input->height = get_integer(object, "height");
    input->width = get_integer(object, "width");
    input->fit = (enum fit)one_of(object, "fit", fits);
    if (ok(object->reader) && json_member(object->reader->json, object->value, "window") >= 0)
        read_window(&input->window, object);
}

static int compare_words(const void *one, const void *other)
{
    const char *const *a = one, *const *b = other;
    return strcmp(*a, *b);
}

static void read_labels(struct manifest *manifest, const struct object *top)
{
    size_t size;
    int item = get_list(top, "labels", &size);
    manifest->labels = need((size + 1) * sizeof *manifest->labels); /* ends in NULL */
    bool differ = true;
    for (; manifest->label_count < size && ok(top->reader); item = json_next(top->reader->json, item)) {
        char *label = words_of(top, "labels", item);
        if (label == NULL)
            return;
        manifest->labels[manifest->label_count++] = label;
    }
    if (!ok(top->reader))
        return;
    if (manifest->is_segmentation && size != 1) {
        wrong(top, "labels", get(top, "labels"), "exactly 1 string, what the mask of a segmentation shows");
    } else if (!manifest->is_segmentation) {
        /* Sorted, so that a manifest of very many labels takes no long time. */
        char **sorted = need((size + 1) * sizeof *sorted);
        memcpy(sorted, manifest->labels, size * sizeof *sorted);
        qsort(sorted, size, sizeof *sorted, compare_words);
        for (size_t index = 1; index < size; index++)
            differ = differ && strcmp(sorted[index - 1], sorted[index]) != 0;
        free(sorted);
        if (size < 2 || !differ)
            wrong(top, "labels", get(top, "labels"), "2 or more different strings");
    }
}

static void read_decision(struct manifest *manifest, const struct object *top)
{
    int value = get(top, "decision");
    if (value < 0)
        return;
    if (json_kind(top->reader->json, value) == JSON_NULL) {
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
    int item = get_list(top, "targets", &size);
    manifest->targets = need(size * sizeof *manifest->targets);
    for (size_t index = 0; index < size && ok(top->reader); index++, item = json_next(top->reader->json, item)) {
        char path[80];
        snprintf(path, sizeof path, "targets[%zu]", index);
        struct object object = as_object(top->reader, item, path);
        struct target target = {.lower_is_better = one_of(&object, "better", betters) == 0};
        target.name = get_words(&object, "name");
        target.target = number_of(&object, "target", get(&object, "target"), -INFINITY, INFINITY);
        free(get_words(&object, "source"));
        manifest->targets[manifest->target_count++] = target;
    }
}

static void read_measured(struct manifest *manifest, const struct object *top)
{
    struct object object = get_object(top, "measured");
    if (!ok(top->reader))
        return;
    const struct json *json = top->reader->json;
    int size = json_size(json, object.value), key = json_first(object.value);
    manifest->measured = need((size_t)size * sizeof *manifest->measured);
    for (int index = 0; index < size && ok(top->reader); index++, key = json_next(json, key)) {
        struct measured measured = {.name = json_words(json, key)};
        manifest->measured[manifest->measured_count++] = measured;
        manifest->measured[manifest->measured_count - 1].number =
            number_of(&object, measured.name, key + 1, -INFINITY, INFINITY);
    }
}

static void read_golden(struct manifest *manifest, const struct object *top)
{
    size_t size;
    int item = get_list(top, "golden", &size);
    const struct json *json = top->reader->json;
    manifest->golden = need(size * sizeof *manifest->golden);
    for (size_t index = 0; index < size && ok(top->reader); index++, item = json_next(json, item)) {
        char path[80];
        snprintf(path, sizeof path, "golden[%zu]", index);
        struct object object = as_object(top->reader, item, path), outputs = get_object(&object, "outputs");
        if (!ok(top->reader))
            return;
        struct golden *golden = &manifest->golden[manifest->golden_count++];
        size_t count = (size_t)json_size(json, outputs.value);
        if (count == 0)
            wrong(&object, "outputs", outputs.value, "a member for at least one kernel path");
        golden->outputs = need(count * sizeof *golden->outputs);
        int key = json_first(outputs.value);
        for (; golden->output_count < count && ok(top->reader); key = json_next(json, key)) {
            char *kernel_path = json_words(json, key);
            golden->outputs[golden->output_count].member = words_of(&outputs, kernel_path, key + 1);
            golden->outputs[golden->output_count++].path = kernel_path;
        }
        if (golden->output_count)
            qsort(golden->outputs, golden->output_count, sizeof *golden->outputs, compare_words); /* the path comes first */
        golden->image = get_words(&object, "image");
        golden->input_sha256 = get_sha256(&object, "input_sha256");
        golden->tolerance = get_share(&object, "tolerance", INFINITY);
    }
}

static void hold_operators(const struct object *runtime)
{
    struct object operators = get_object(runtime, "operators");
    if (!ok(runtime->reader))
        return;
    const struct json *json = runtime->reader->json;
    int key = json_first(operators.value);
    for (int left = json_size(json, operators.value); left > 0 && ok(runtime->reader); left--) {
        char *name = json_words(json, key);
        get_integer(&operators, name);
        free(name);
        key = json_next(json, key);
    }
}

static void hold_version(const struct object *top)
{
    int64_t version = get_integer(top, "version");
    if (ok(top->reader) && version > VERSION)
        fail(top->reader->failure,
             "the manifest of %s has version %lld, this program reads version %d: upgrade edge-infer on this device",
             top->reader->where, (long long)version, VERSION);
}

static void hold_name(const struct object *top, const char *name)
{
    if (ok(top->reader) && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(name))
        wrong(top, "name", get(top, "name"), "lower-case letters, digits, - and _");
}

bool manifest_parse(struct manifest *manifest, const char *text, size_t count, const char *path,
                    struct failure *failure)
{
    static char *const formats[] = {"edge-infer", NULL}, *const tasks[] = {"classification", "segmentation", NULL};
    static char *const activations[][3] = {{"softmax", "none", NULL}, {"sigmoid", "none", NULL}}, *const types[] = {"int8", "float32", NULL};
    struct json json;
    *manifest = (struct manifest){0};
    const char *damage = json_parse(&json, text, count);
    if (damage) {
        json_free(&json);
        return fail(failure, "%s has a manifest that is not JSON (%s): " REBUILD, path, damage);
    }
    struct reader reader = {&json, path, failure};
    struct object top = as_object(&reader, 0, "");
    one_of(&top, "format", formats);
    hold_version(&top);
    manifest->is_segmentation = one_of(&top, "task", tasks) == 1;
    read_labels(manifest, &top);
    manifest->name = get_words(&top, "name");
    hold_name(&top, manifest->name);
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
    hold_operators(&runtime);
    read_golden(manifest, &top);
    json_free(&json);
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
    for (size_t index = manifest->measured_count; index-- > 0;) /* of two of one name the last counts */
        if (strcmp(manifest->measured[index].name, name) == 0)
            return &manifest->measured[index].number;
    return NULL;
}
