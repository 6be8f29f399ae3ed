/* What a network is made of, by the schema (schema.h). After the first fault nothing more is read, and every reader
   returns something harmless: so `ok` is asked before what was read is used as an index. */
#include "network.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "activation.h"
#include "constants.h"
#include "flatbuffer.h"
#include "memory.h"
#include "schema.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define ok(reader) flatbuffer_ok(&(reader)->flatbuffer)
#define fault(reader, ...) flatbuffer_fault(&(reader)->flatbuffer, __VA_ARGS__)
#define damaged(reader, ...) flatbuffer_damaged(&(reader)->flatbuffer, __VA_ARGS__)
#define spend(reader, count) flatbuffer_spend(&(reader)->flatbuffer, count)
#define read_table(reader, kind, at, values) flatbuffer_table(&(reader)->flatbuffer, kind, at, values)
#define item_at(reader, vector, index) flatbuffer_item(&(reader)->flatbuffer, vector, index)
#define item_count(reader, vector) flatbuffer_items(&(reader)->flatbuffer, vector)
#define numbers(reader, vector, count) flatbuffer_numbers(&(reader)->flatbuffer, vector, count)

struct buffer {
    size_t at, count;
};

struct ends {
    int32_t *inputs, *outputs;
    size_t input_count, output_count;
};

struct reader {
    struct flatbuffer flatbuffer;
    const char **codes; /* names of operators */
    struct buffer *buffers;
    size_t code_count, buffer_count, graph_count, tensor_count;
    struct ends *graphs;
    bool *calls; /* whether one graph runs another one */
    struct graph_tensor *tensors; /* of the graph that is being read */
    bool *given;                  /* which of them can be read: constants, inputs, what earlier operators gave */
    struct network network;
};

static bool is_index(struct reader *reader, int64_t index, size_t count, const char *who, long long number,
                     const char *what)
{
    return (index >= 0 && (uint64_t)index < count) ||
           damaged(reader, "%s %lld names %s %lld of %zu", who, number, what, (long long)index, count);
}

static void read_codes(struct reader *reader, const struct value *vector)
{
    reader->code_count = item_count(reader, vector);
    reader->codes = need(reader->code_count * sizeof *reader->codes);
    for (size_t index = 0; index < reader->code_count && ok(reader); index++) {
        struct value values[4];
        if (!read_table(reader, &OperatorCode_KIND, item_at(reader, vector, index), values))
            return;
        int64_t old = values[0].number, new = values[3].number, number = old > new ? old : new;
        if (number >= (int64_t)COUNT(OPERATORS))
            fault(reader, "with operator %lld, and this program knows %zu: " UPGRADE, (long long)number,
                  COUNT(OPERATORS));
        else if (old < 0 || new < 0 || values[2].number < 1)
            damaged(reader, "an operator code is less than 0, or its version less than 1");
        else if (strcmp(OPERATORS[number], "CUSTOM") == 0 && !values[1].count)
            damaged(reader, "a custom operator has no name");
        else
            reader->codes[index] = OPERATORS[number];
    }
}

static void read_buffers(struct reader *reader, const struct value *vector)
{
    reader->buffer_count = item_count(reader, vector);
    reader->buffers = need(reader->buffer_count * sizeof *reader->buffers);
    for (size_t index = 0; index < reader->buffer_count && ok(reader); index++) {
        struct value values[3];
        if (!read_table(reader, &Buffer_KIND, item_at(reader, vector, index), values))
            return;
        if ((uint64_t)values[1].number > 1 || (uint64_t)values[2].number > 1) /* 1 is what a converter writes first */
            fault(reader, "whose weights are behind its flatbuffer: expected them in it; " CONVERT);
        reader->buffers[index] = (struct buffer){values[0].at, values[0].count};
    }
}

/* Of the types that LiteRT takes in Python and in C, from 2.1 on; 0 of others. */
static size_t bits_of(const char *type)
{
    static const struct {
        const char *name;
        size_t bits;
    } known[] = {{"FLOAT32", 32}, {"FLOAT16", 16}, {"INT32", 32}, {"UINT8", 8}, {"INT64", 64}, {"BOOL", 8},
                 {"INT16", 16}, {"INT8", 8}, {"UINT32", 32}, {"INT4", 4}, {"INT2", 2}};
    for (size_t index = 0; index < COUNT(known); index++)
        if (strcmp(known[index].name, type) == 0)
            return known[index].bits;
    return 0;
}

static void read_quantization(struct reader *reader, size_t index, size_t at, struct graph_tensor *tensor)
{
    struct value values[7];
    if (!at || !read_table(reader, &QuantizationParameters_KIND, at, values))
        return;
    const struct value *scales = &values[2], *zero_points = &values[3];
    int64_t details = values[4].number, axis = values[6].number;
    if (details >= QUANTIZATION_DETAILS)
        fault(reader, "whose tensor %zu is quantized in a way that this program does not know: " UPGRADE, index);
    else if (details)
        fault(reader, "whose tensor %zu is quantized in blocks or in a way of its own: expected by channel; " CONVERT,
              index);
    else if (values[5].at)
        damaged(reader, "tensor %zu has a quantization without a kind", index);
    if (!ok(reader) || !spend(reader, scales->count) || !spend(reader, zero_points->count) ||
        (!scales->count && !zero_points->count))
        return;
    if (scales->count != zero_points->count) {
        damaged(reader, "tensor %zu has %zu scales and %zu zero points", index, scales->count, zero_points->count);
        return;
    }
    if (scales->count > 1 && !(axis >= 0 && axis < tensor->rank && (size_t)tensor->shape[axis] == scales->count))
        damaged(reader, "tensor %zu has %zu scales, and no such dimension", index, scales->count);
    int64_t low = INT32_MIN, high = INT32_MAX;
    if (strcmp(tensor->type, "INT8") == 0)
        low = INT8_MIN, high = INT8_MAX;
    else if (strcmp(tensor->type, "UINT8") == 0)
        low = 0, high = UINT8_MAX;
    else if (strcmp(tensor->type, "INT16") == 0)
        low = INT16_MIN, high = INT16_MAX;
    bool is_short = strcmp(tensor->type, "INT8") == 0 || strcmp(tensor->type, "UINT8") == 0 ||
                    strcmp(tensor->type, "INT16") == 0;
    tensor->scale_count = scales->count;
    tensor->axis = axis;
    tensor->scales = reader->flatbuffer.data + scales->at;
    for (size_t item = 0; item < scales->count && ok(reader); item++) {
        float scale = float_bytes(tensor->scales + 4 * item);
        int64_t zero_point = (int64_t)eight_bytes(reader->flatbuffer.data + zero_points->at + 8 * item);
        if (!(scale >= 0 && isfinite(scale)))
            damaged(reader, "tensor %zu has a scale that is negative or not finite", index);
        else if (!(scale >= FLT_MIN) && is_short && !tensor->content) /* a constant may be all zeros */
            damaged(reader, "tensor %zu has a quantization step of 0, or next to it", index);
        else if (zero_point < low || zero_point > high)
            damaged(reader, "tensor %zu has a zero point that its type can't hold", index);
    }
}

static void read_shape(struct reader *reader, size_t index, const struct value *shape, const struct value *open,
                       struct graph_tensor *tensor)
{
    if (shape->count > MAX_TENSOR_RANK || open->count > MAX_TENSOR_RANK) {
        fault(reader, "whose tensor %zu has %zu dimensions: expected at most %d; " CONVERT, index,
              shape->count > MAX_TENSOR_RANK ? shape->count : open->count, MAX_TENSOR_RANK);
        return;
    }
    spend(reader, shape->count + open->count);
    tensor->rank = (int)shape->count;
    for (size_t item = 0; item < shape->count; item++) {
        tensor->shape[item] = (int32_t)four_bytes(reader->flatbuffer.data + shape->at + 4 * item);
        if (tensor->shape[item] < 0)
            damaged(reader, "tensor %zu has a negative size", index);
    }
    for (size_t item = 0; item < open->count; item++) {
        tensor->is_open[item] = (int32_t)four_bytes(reader->flatbuffer.data + open->at + 4 * item) < 0;
        if ((int32_t)four_bytes(reader->flatbuffer.data + open->at + 4 * item) < -1)
            damaged(reader, "tensor %zu has a negative size", index);
    }
    if (open->count && open->count != shape->count)
        damaged(reader, "tensor %zu has two numbers of dimensions", index);
}

/* Whether the tensor's size is one that a program can have, and a constant's bytes are as many. */
static void read_content(struct reader *reader, size_t index, int64_t number, struct graph_tensor *tensor)
{
    size_t bits = bits_of(tensor->type);
    unsigned __int128 wanted = bits;
    for (int item = 0; item < tensor->rank && ok(reader); item++) {
        wanted *= (unsigned)tensor->shape[item];
        if (wanted > (unsigned __int128)1 << 90) /* a size of 0 may follow */
            wanted = (unsigned __int128)1 << 90;
    }
    for (int item = 0; item < tensor->rank; item++)
        if (tensor->shape[item] == 0)
            wanted = 0;
    wanted = (wanted + 7) / 8;
    if (wanted > MAX_TENSOR_BYTES)
        fault(reader, "whose tensor %zu has more than %d bytes: expected no more; make the network smaller", index,
              MAX_TENSOR_BYTES);
    if (!ok(reader) || !is_index(reader, number, reader->buffer_count, "tensor", (long long)index, "buffer"))
        return;
    const struct buffer *buffer = &reader->buffers[number];
    size_t alignment = bits <= 8 ? 1 : bits == 16 ? 2 : 4;
    if (buffer->count && (number == 0 || tensor->is_variable))
        damaged(reader, "tensor %zu can't be a constant and is one", index);
    else if (buffer->count && buffer->count != wanted)
        damaged(reader, "tensor %zu has %zu bytes and should have %zu", index, buffer->count, (size_t)wanted);
    else if (buffer->count && buffer->at % alignment)
        damaged(reader, "tensor %zu is not aligned", index);
    tensor->bytes = buffer->count;
    tensor->content = buffer->count ? reader->flatbuffer.data + buffer->at : NULL;
}

static void read_tensor(struct reader *reader, size_t index, size_t at)
{
    struct value values[11];
    struct graph_tensor *tensor = &reader->tensors[index];
    if (!read_table(reader, &Tensor_KIND, at, values))
        return;
    tensor->type = TENSOR_TYPES[values[1].number];
    tensor->is_variable = values[5].number;
    if (!bits_of(tensor->type))
        fault(reader, "whose tensor %zu is of %s: expected float32, or whole numbers; " CONVERT, index, tensor->type);
    else if (values[6].at)
        fault(reader, "whose tensor %zu is sparse: expected every value; " CONVERT, index);
    else if (values[9].count)
        damaged(reader, "tensor %zu is of several types", index);
    else if (values[10].number)
        fault(reader, "whose weights are in another file: expected all of it in one; " CONVERT);
    if (ok(reader))
        read_shape(reader, index, &values[0], &values[7], tensor);
    if (ok(reader))
        read_content(reader, index, values[2].number, tensor);
    if (ok(reader))
        read_quantization(reader, index, values[4].at, tensor);
}

const struct value *operator_option(const struct operator *operator, const char *name)
{
    for (int slot = 0; operator->options && slot < operator->options->count; slot++)
        if (operator->options->fields[slot].name && strcmp(operator->options->fields[slot].name, name) == 0)
            return &operator->values[slot];
    return NULL;
}

/* The table of a union, which `number` chooses; NULL where there is none, or on failure. */
static const struct kind *read_options(struct reader *reader, size_t position, const struct kind *const *known,
                                       size_t count, int64_t number, size_t at, struct value *values)
{
    if ((size_t)number >= count)
        fault(reader, "whose operator %zu has options %lld, and this program knows %zu: " UPGRADE, position,
              (long long)number, count);
    else if ((number == 0) != (at == 0))
        damaged(reader, "operator %zu has options of no kind, or a kind and no options", position);
    if (!ok(reader) || !number || !read_table(reader, known[number], at, values))
        return NULL;
    for (int slot = 0; slot < known[number]->count; slot++)
        if (known[number]->fields[slot].what == '[')
            spend(reader, values[slot].count);
    return known[number];
}

/* Which graphs the operator runs. */
static void note_calls(struct reader *reader, size_t graph, size_t position, const struct operator *operator)
{
    for (int slot = 0; operator->options && slot < operator->options->count; slot++) {
        const struct field *field = &operator->options->fields[slot];
        if (!field->name || !strstr(field->name, "subgraph"))
            continue;
        const struct value *value = &operator->values[slot];
        for (size_t index = 0; index < (field->what == '[' ? value->count : 1); index++) {
            const unsigned char *at = reader->flatbuffer.data + value->at + 4 * index;
            int64_t called = field->what == '[' ? (int32_t)four_bytes(at) : value->number;
            if (!is_index(reader, called, reader->graph_count, "operator", (long long)position, "graph"))
                return;
            reader->calls[graph * reader->graph_count + (size_t)called] = true;
        }
    }
}

/* Check what the operator reads and gives, in the order of execution. */
static void pass(struct reader *reader, size_t position, const struct operator *operator)
{
    for (size_t index = 0; index < operator->input_count; index++) {
        int32_t tensor = operator->inputs[index];
        if (tensor == -1)
            continue;
        if (!is_index(reader, tensor, reader->tensor_count, "operator", (long long)position, "tensor"))
            return;
        if (!reader->given[tensor])
            damaged(reader, "operator %zu reads tensor %d, which nothing before it gives", position, (int)tensor);
    }
    for (size_t index = 0; index < operator->output_count; index++) {
        int32_t tensor = operator->outputs[index];
        if (!is_index(reader, tensor, reader->tensor_count, "operator", (long long)position, "tensor"))
            return;
        if (reader->given[tensor])
            damaged(reader, "operator %zu gives tensor %d, which is there already", position, (int)tensor);
        reader->given[tensor] = true;
    }
}

static void read_operator(struct reader *reader, size_t graph, size_t position, size_t at)
{
    struct value values[14];
    if (!read_table(reader, &Operator_KIND, at, values) ||
        !is_index(reader, values[0].number, reader->code_count, "operator", (long long)position, "operator code"))
        return;
    struct operator operator = {.name = reader->codes[values[0].number]};
    if ((uint64_t)values[9].number > 1 || (uint64_t)values[10].number > 1)
        fault(reader, "whose options are behind its flatbuffer: expected them in it; " CONVERT);
    if (values[7].count && values[7].count != values[1].count)
        damaged(reader, "operator %zu has another number of inputs that it changes than of inputs", position);
    size_t intermediate_count;
    int32_t *inputs = numbers(reader, &values[1], &operator.input_count);
    int32_t *outputs = numbers(reader, &values[2], &operator.output_count);
    int32_t *intermediates = numbers(reader, &values[8], &intermediate_count);
    operator.inputs = inputs;
    operator.outputs = outputs;
    for (size_t index = 0; index < intermediate_count; index++)
        is_index(reader, intermediates[index], reader->tensor_count, "operator", (long long)position, "tensor");
    pass(reader, position, &operator);
    if (ok(reader))
        operator.options =
            read_options(reader, position, OPTIONS, COUNT(OPTIONS), values[3].number, values[4].at, operator.values);
    if (operator.options && (values[11].number || values[12].at))
        damaged(reader, "operator %zu has options twice", position);
    else if (ok(reader) && !operator.options)
        operator.options = read_options(reader, position, OPTIONS_2, COUNT(OPTIONS_2), values[11].number, values[12].at,
                                        operator.values);
    if (ok(reader))
        note_calls(reader, graph, position, &operator);
    char *wrong = ok(reader) ? operator_fault(&operator, reader->tensors) : NULL;
    if (!wrong && ok(reader) && !operator_has_size(&operator, reader->tensors))
        reader->network.has_sizes = false;
    if (wrong)
        fault(reader, "whose operator %zu (%s) %s: " CONVERT, position, operator.name, wrong);
    if (ok(reader))
        activation_note(&operator, reader->tensors);
    free(wrong);
    free(inputs);
    free(outputs);
    free(intermediates);
}

static void read_ends(struct reader *reader, size_t graph, const struct value *inputs, const struct value *outputs)
{
    struct ends *ends = &reader->graphs[graph];
    if (inputs->count > MAX_ENDS || outputs->count > MAX_ENDS)
        fault(reader, "of a graph with more than %d inputs or outputs: expected no more; " CONVERT, MAX_ENDS);
    ends->inputs = numbers(reader, inputs, &ends->input_count);
    ends->outputs = numbers(reader, outputs, &ends->output_count);
    for (size_t index = 0; index < ends->output_count; index++)
        is_index(reader, ends->outputs[index], reader->tensor_count, "graph", (long long)graph, "tensor");
    for (size_t index = 0; index < ends->input_count && ok(reader); index++) {
        int32_t tensor = ends->inputs[index];
        if (!is_index(reader, tensor, reader->tensor_count, "graph", (long long)graph, "tensor"))
            return;
        if (reader->given[tensor])
            damaged(reader, "tensor %d is an input twice, or an input and a constant", (int)tensor);
        reader->given[tensor] = true;
    }
}

static void note_ends(struct reader *reader, const struct ends *ends)
{
    struct network *network = &reader->network;
    network->input_count = ends->input_count;
    network->output_count = ends->output_count;
    for (size_t index = 0; index < ends->output_count && index < MAX_ENTRIES; index++)
        network->origins[index] = reader->tensors[ends->outputs[index]].origin;
}

static void read_graph(struct reader *reader, size_t graph, size_t at)
{
    struct value values[6];
    if (!read_table(reader, &SubGraph_KIND, at, values))
        return;
    reader->tensor_count = item_count(reader, &values[0]);
    reader->tensors = need(reader->tensor_count * sizeof *reader->tensors);
    reader->given = need(reader->tensor_count * sizeof *reader->given);
    for (size_t index = 0; index < reader->tensor_count && ok(reader); index++) {
        read_tensor(reader, index, item_at(reader, &values[0], index));
        reader->given[index] = reader->tensors[index].bytes || reader->tensors[index].is_variable;
    }
    if (ok(reader))
        read_ends(reader, graph, &values[1], &values[2]);
    size_t operators = ok(reader) ? item_count(reader, &values[3]) : 0;
    for (size_t index = 0; index < operators && ok(reader); index++)
        read_operator(reader, graph, index, item_at(reader, &values[3], index));
    const struct ends *ends = &reader->graphs[graph];
    for (size_t index = 0; index < ends->output_count && ok(reader); index++)
        if (!reader->given[ends->outputs[index]])
            damaged(reader, "tensor %d is an output, and no operator gives it", (int)ends->outputs[index]);
    if (graph == 0 && ok(reader))
        note_ends(reader, ends);
    free(reader->tensors);
    free(reader->given);
    reader->tensors = NULL;
    reader->given = NULL;
}

/* Whether no graph runs itself, by way of others or not: those that run none left are taken away until none is left. */
static void check_calls(struct reader *reader)
{
    size_t count = reader->graph_count, left = count;
    bool *done = need(count * sizeof *done);
    for (bool changed = true; changed && left;) {
        changed = false;
        for (size_t graph = 0; graph < count; graph++) {
            bool free_of_calls = !done[graph];
            for (size_t other = 0; other < count && free_of_calls; other++)
                free_of_calls = done[other] || !reader->calls[graph * count + other];
            if (free_of_calls) {
                done[graph] = changed = true;
                left--;
            }
        }
    }
    free(done);
    if (left)
        damaged(reader, "a graph runs itself");
}

/* Whether a signature names each of the graph's inputs, or of its outputs, by a name of its own. */
static void read_maps(struct reader *reader, const struct value *maps, const int32_t *known, size_t count)
{
    struct value *names = need(count * sizeof *names);
    const unsigned char *data = reader->flatbuffer.data;
    if (maps->count != count)
        damaged(reader, "a signature and its graph differ in their inputs or outputs");
    for (size_t index = 0; index < count && ok(reader); index++) {
        struct value values[2];
        if (!read_table(reader, &TensorMap_KIND, item_at(reader, maps, index), values))
            break;
        bool is_known = false, differs = values[0].at;
        for (size_t other = 0; other < count; other++)
            is_known = is_known || known[other] == values[1].number;
        for (size_t other = 0; other < index; other++)
            differs = differs && (names[other].count != values[0].count ||
                                  memcmp(data + names[other].at, data + values[0].at, values[0].count));
        if (!is_known || !differs)
            damaged(reader, "a signature names a tensor that its graph does not take or give, or two by one name");
        names[index] = values[0];
    }
    free(names);
}

static void read_signature(struct reader *reader, size_t at)
{
    struct value values[5];
    if (!read_table(reader, &SignatureDef_KIND, at, values) ||
        !is_index(reader, values[4].number, reader->graph_count, "signature", 0, "graph"))
        return;
    if (!values[2].at)
        damaged(reader, "a signature has no name");
    const struct ends *ends = &reader->graphs[values[4].number];
    read_maps(reader, &values[0], ends->inputs, ends->input_count);
    read_maps(reader, &values[1], ends->outputs, ends->output_count);
}

static void read_metadata(struct reader *reader, const struct value *old, const struct value *metadata)
{
    size_t count;
    int32_t *buffers = numbers(reader, old, &count);
    for (size_t index = 0; index < count; index++)
        is_index(reader, buffers[index], reader->buffer_count, "metadata", (long long)index, "buffer");
    free(buffers);
    count = ok(reader) ? item_count(reader, metadata) : 0;
    for (size_t index = 0; index < count && ok(reader); index++) {
        struct value values[2];
        if (read_table(reader, &Metadata_KIND, item_at(reader, metadata, index), values))
            is_index(reader, values[1].number, reader->buffer_count, "metadata", (long long)index, "buffer");
    }
}

static void read_network(struct reader *reader)
{
    struct value values[10];
    if (reader->flatbuffer.size < 8 || memcmp(reader->flatbuffer.data + 4, "TFL3", 4) != 0)
        damaged(reader, "it does not begin as a TFLite file does");
    if (!ok(reader) || !read_table(reader, &Model_KIND, flatbuffer_follow(&reader->flatbuffer, 0), values))
        return;
    if (values[0].number != SCHEMA_VERSION)
        fault(reader, "of schema version %lld: expected %d; " UPGRADE, (long long)values[0].number, SCHEMA_VERSION);
    else if (values[8].count || values[9].count)
        fault(reader, "whose weights are in another file: expected all of it in one; " CONVERT);
    else if (!values[2].count)
        damaged(reader, "it has no graph");
    else if (values[2].count > MAX_GRAPHS)
        fault(reader, "of more than %d graphs: expected no more; " CONVERT, MAX_GRAPHS);
    if (!ok(reader))
        return;
    read_codes(reader, &values[1]);
    if (ok(reader))
        read_buffers(reader, &values[4]);
    reader->graph_count = values[2].count;
    reader->graphs = need(reader->graph_count * sizeof *reader->graphs);
    reader->calls = need(reader->graph_count * reader->graph_count * sizeof *reader->calls);
    for (size_t graph = 0; graph < reader->graph_count && ok(reader); graph++)
        read_graph(reader, graph, item_at(reader, &values[2], graph));
    if (ok(reader))
        check_calls(reader);
    if (ok(reader))
        read_metadata(reader, &values[5], &values[6]);
    size_t signatures = ok(reader) ? item_count(reader, &values[7]) : 0;
    for (size_t index = 0; index < signatures && ok(reader); index++)
        read_signature(reader, item_at(reader, &values[7], index));
}

bool network_check(const unsigned char *data, size_t size, const char *where, struct network *network,
                   struct failure *failure)
{
    struct reader reader = {.flatbuffer = {.data = data, .size = size, .where = where, .failure = failure},
                            .network = {.has_sizes = true}};
    read_network(&reader);
    for (size_t graph = 0; reader.graphs && graph < reader.graph_count; graph++) {
        free(reader.graphs[graph].inputs);
        free(reader.graphs[graph].outputs);
    }
    free(reader.graphs);
    free(reader.calls);
    free(reader.codes);
    free(reader.buffers);
    if (network)
        *network = reader.network;
    return flatbuffer_ok(&reader.flatbuffer);
}
