#include "manifest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "memory.h"
#include "task.h"

#define REBUILD "build the model file again with edge-compress"

static bool ok(const struct reader *reader)
{
    return reader->failure->text == NULL;
}

static void get_numbers(const struct object *object, const char *key, double numbers[3])
{
    size_t size;
    const json_t *list = field_list(object, key, MAX_ITEMS, &size);
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
        field_wrong(object, key, list, "a list of numbers");
    for (size_t index = size; index < 3; index++)
        numbers[index] = numbers[0];
}

static void check_size(const struct object *object, const char *key, int channels)
{
    size_t size;
    field_list(object, key, MAX_ITEMS, &size);
    if (!ok(object->reader) || size == 1 || size == (size_t)channels)
        return;
    struct text expected = {0};
    text_print(&expected, "a list of 1 or %d numbers", channels);
    field_wrong(object, key, field(object, key), expected.at);
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
            field_wrong(object, "bits", bits, "a whole number from 1 to 16, and no window beside it");
        return;
    }
    if (!json_object_get(object->value, "window"))
        return;
    const json_t *value = field(object, "window"), *low = json_array_get(value, 0), *high = json_array_get(value, 1);
    if (json_array_size(value) == 2 && json_is_integer(low) && json_is_integer(high) && json_integer_value(low) >= 0 &&
        json_integer_value(low) < json_integer_value(high) && json_integer_value(high) <= MOST)
        *window = (struct value_window){(int32_t)json_integer_value(low), (int32_t)json_integer_value(high)};
    else
        field_wrong(object, "window", value, "two whole numbers, 0 <= low < high <= 65535");
}

static void read_input(struct preprocessing *input, const struct object *object)
{
    static const char *const colours[] = {"grey", "rgb", NULL}, *const fits[] = {"stretch", "crop", "pad", NULL};
    input->is_grey = field_one_of(object, "color", colours) == 0;
    int64_t channels = field_integer(object, "channels");
    if (channels != 3 && !(input->is_grey && channels == 1) && ok(object->reader))
        field_wrong(object, "channels", field(object, "channels"), input->is_grey ? "1 or 3" : "3");
    input->channels = channels == 1 ? 1 : 3;
    get_numbers(object, "mean", input->mean);
    get_numbers(object, "std", input->std);
    check_size(object, "mean", input->channels);
    check_size(object, "std", input->channels);
    for (int channel = 0; channel < input->channels && ok(object->reader); channel++)
        if (!(input->std[channel] > 0))
            field_wrong(object, "std", field(object, "std"), "numbers greater than 0");
    input->height = field_integer(object, "height");
    input->width = field_integer(object, "width");
    input->fit = (enum fit)field_one_of(object, "fit", fits);
    if (ok(object->reader))
        read_window(&input->window, object);
}

static int compare_words(const void *one, const void *other)
{
    const char *const *a = one, *const *b = other;
    return strcmp(*a, *b);
}

bool all_differ(char *const *words, size_t count)
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

/* A list of inputs or outputs. */
static json_t *get_entries(const struct object *top, const char *key, size_t *size)
{
    json_t *list = field_list(top, key, MAX_ENTRIES, size);
    if (list && !*size)
        field_wrong(top, key, list, "at least one entry");
    return list;
}

static void read_inputs(struct manifest *manifest, const struct object *top)
{
    size_t size;
    if (!has_field(top, "inputs") && has_field(top, "input"))
        fail_as(top->reader->failure, "model.manifest",
                "the manifest of %s has the fields input and labels of an early version 1: expected the lists inputs and "
                "outputs (docs/model-file.md); " REBUILD, top->reader->where);
    json_t *list = get_entries(top, "inputs", &size);
    for (; manifest->input_count < size && fields_ok(top); manifest->input_count++) {
        struct object object = field_item(top, "inputs", list, manifest->input_count);
        read_input(&manifest->inputs[manifest->input_count], &object);
    }
}

static void read_labels(struct labels *labels, const struct object *object)
{
    size_t size = 0;
    const json_t *list = has_field(object, "labels") ? field_list(object, "labels", MAX_LABELS, &size) : NULL;
    labels->at = need((size + 1) * sizeof *labels->at); /* ends in NULL */
    while (labels->count < size) {
        char *label = line_of(object, "labels", json_array_get(list, labels->count));
        if (label == NULL)
            return;
        labels->at[labels->count++] = label;
    }
}

static void read_outputs(struct manifest *manifest, const struct object *top)
{
    size_t size;
    json_t *list = get_entries(top, "outputs", &size);
    struct object objects[MAX_ENTRIES];
    for (; manifest->output_count < size && fields_ok(top); manifest->output_count++) {
        struct object *object = &objects[manifest->output_count];
        struct output_entry *entry = &manifest->outputs[manifest->output_count];
        *object = field_item(top, "outputs", list, manifest->output_count);
        read_labels(&entry->labels, object);
        entry->activation = has_field(object, "activation") ? field_line(object, "activation") : NULL;
    }
    if (fields_ok(top))
        manifest->task->parse(manifest, objects);
}

static void read_task(struct manifest *manifest, const struct object *top)
{
    char *name = field_line(top, "task");
    manifest->task = name ? task_named(name) : NULL;
    if (name && !manifest->task) {
        struct text known = {0};
        for (const struct task *const *task = TASKS; *task; task++)
            text_print(&known, "%s\"%s\"", task == TASKS ? "" : " or ", (*task)->name);
        fail_as(top->reader->failure, "model.manifest",
                "the manifest of %s has the task \"%s\": expected %s; take another model, or an edge-infer that was built "
                "with this task (cmake -DEDGE_TASKS)", top->reader->where, name, known.at);
        text_free(&known);
    }
    free(name);
}

static void read_targets(struct manifest *manifest, const struct object *top)
{
    static const char *const betters[] = {"lower", "higher", NULL};
    size_t size;
    json_t *list = field_list(top, "targets", MAX_ITEMS, &size);
    char *names[MAX_ITEMS];
    manifest->targets = need(size * sizeof *manifest->targets);
    for (size_t index = 0; index < size && ok(top->reader); index++) {
        struct object object = field_item(top, "targets", list, index);
        struct target target = {.lower_is_better = field_one_of(&object, "better", betters) == 0};
        target.name = field_line(&object, "name");
        target.target = number_of(&object, "target", field(&object, "target"), -INFINITY, INFINITY);
        free(field_line(&object, "source"));
        names[index] = target.name;
        manifest->targets[manifest->target_count++] = target;
    }
    if (ok(top->reader) && !all_differ(names, size)) /* each would be judged by the other's direction */
        field_wrong(top, "targets", list, "targets of different names");
}

static void read_measured(struct manifest *manifest, const struct object *top)
{
    struct object object = field_named(top, "measured");
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

static void read_golden_inputs(struct golden *golden, size_t count, const struct object *object)
{
    size_t size;
    json_t *list = field_list(object, "inputs", MAX_ENTRIES, &size);
    if (list && size != count) {
        char *expected = need_print("a list of %zu, one for each input", count);
        field_wrong(object, "inputs", list, expected);
        free(expected);
    }
    for (size_t index = 0; index < count && fields_ok(object); index++) {
        struct object entry = field_item(object, "inputs", list, index);
        golden->inputs[index].image = field_line(&entry, "image");
        golden->inputs[index].sha256 = field_sha256(&entry, "sha256");
    }
}

static void read_members(struct golden_path *path, size_t count, const struct object *outputs)
{
    size_t size;
    const json_t *list = field_list(outputs, path->path, MAX_ENTRIES, &size);
    if (list && size != count) {
        char *expected = need_print("a list of %zu, one for each output", count);
        field_wrong(outputs, path->path, list, expected);
        free(expected);
    }
    for (size_t index = 0; index < count && fields_ok(outputs); index++)
        path->members[index] = line_of(outputs, path->path, json_array_get(list, index));
}

static void read_vector(struct golden *golden, const struct manifest *manifest, const struct object *object)
{
    struct object outputs = field_named(object, "outputs");
    const char *path;
    json_t *item;
    golden->inputs = need(manifest->input_count * sizeof *golden->inputs);
    if (!fields_ok(object))
        return;
    if (json_object_size(outputs.value) == 0)
        field_wrong(object, "outputs", outputs.value, "members for at least one kernel path");
    golden->paths = need(json_object_size(outputs.value) * sizeof *golden->paths);
    json_object_foreach(outputs.value, path, item) {
        struct golden_path *place = &golden->paths[golden->path_count++];
        place->path = need_copy(path);
        place->members = need(manifest->output_count * sizeof *place->members);
        read_members(place, manifest->output_count, &outputs);
    }
    if (golden->path_count)
        qsort(golden->paths, golden->path_count, sizeof *golden->paths, compare_words); /* the path comes first */
    read_golden_inputs(golden, manifest->input_count, object);
    golden->tolerance = field_share(object, "tolerance", INFINITY);
}

/* All images of a vector as one word: no name has a line end in it. */
static char *images_of(const struct golden *golden, size_t count)
{
    struct text words = {0};
    for (size_t index = 0; index < count; index++)
        text_print(&words, "%s\n", golden->inputs[index].image);
    return words.at;
}

static void read_golden(struct manifest *manifest, const struct object *top)
{
    size_t size;
    json_t *list = field_list(top, "golden", MAX_ITEMS, &size);
    char *images[MAX_ITEMS];
    manifest->golden = need(size * sizeof *manifest->golden);
    for (size_t index = 0; index < size && fields_ok(top); index++) {
        struct object object = field_item(top, "golden", list, index);
        if (!fields_ok(top))
            return;
        read_vector(&manifest->golden[manifest->golden_count++], manifest, &object);
    }
    if (!fields_ok(top))
        return;
    for (size_t index = 0; index < size; index++)
        images[index] = images_of(&manifest->golden[index], manifest->input_count);
    if (!all_differ(images, size))
        field_wrong(top, "golden", list, "vectors of different images");
    while (size)
        free(images[--size]);
}

static void check_operators(const struct object *runtime)
{
    struct object operators = field_named(runtime, "operators");
    const char *name;
    json_t *item;
    if (!ok(runtime->reader))
        return;
    json_object_foreach(operators.value, name, item)
        field_integer(&operators, name);
}

static void check_version(const struct object *top)
{
    int64_t version = field_integer(top, "version");
    if (ok(top->reader) && version > MANIFEST_VERSION)
        fail_as(top->reader->failure, "model.version",
                "the manifest of %s has version %lld, this program reads version %d: upgrade edge-infer on this device",
                top->reader->where, (long long)version, MANIFEST_VERSION);
}

static void check_name(const struct object *top, const char *name)
{
    if (ok(top->reader) && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(name))
        field_wrong(top, "name", field(top, "name"), "lower-case letters, digits, - and _");
}

bool manifest_parse(struct manifest *manifest, const char *text, size_t count, const char *path,
                    struct failure *failure)
{
    static const char *const formats[] = {MANIFEST_FORMAT, NULL}, *const types[] = {"int8", "float32", NULL};
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
    field_one_of(&top, "format", formats);
    check_version(&top);
    read_task(manifest, &top);
    manifest->name = field_line(&top, "name");
    check_name(&top, manifest->name);
    read_inputs(manifest, &top);
    read_outputs(manifest, &top);
    struct object model = field_object(&top, "model"), runtime = field_object(&top, "runtime");
    manifest->title = field_line(&top, "title");
    read_targets(manifest, &top);
    read_measured(manifest, &top);
    field_object(&top, "provenance");
    manifest->model_bytes = (uint64_t)field_integer(&model, "bytes");
    manifest->model_sha256 = field_sha256(&model, "sha256");
    manifest->is_int8 = field_one_of(&runtime, "type", types) == 0;
    check_operators(&runtime);
    read_golden(manifest, &top);
    json_decref(json);
    return failure->text == NULL;
}

static void free_golden(const struct manifest *manifest, struct golden *golden)
{
    for (size_t index = 0; index < golden->path_count; index++) {
        for (size_t output = 0; output < manifest->output_count; output++)
            free(golden->paths[index].members[output]);
        free(golden->paths[index].members);
        free(golden->paths[index].path);
    }
    free(golden->paths);
    for (size_t input = 0; input < manifest->input_count; input++) {
        free(golden->inputs[input].image);
        free(golden->inputs[input].sha256);
    }
    free(golden->inputs);
}

void manifest_free(struct manifest *manifest)
{
    free(manifest->name);
    free(manifest->title);
    free(manifest->model_sha256);
    if (manifest->settings)
        manifest->task->free_settings(manifest->settings);
    for (size_t output = 0; output < MAX_ENTRIES; output++) { /* the last one may be read in part */
        struct output_entry *entry = &manifest->outputs[output];
        while (entry->labels.count)
            free(entry->labels.at[--entry->labels.count]);
        free(entry->labels.at);
        free(entry->activation);
    }
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
    for (size_t index = 0; index < manifest->golden_count; index++)
        free_golden(manifest, &manifest->golden[index]);
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
