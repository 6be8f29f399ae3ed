/* The rules are those of edge/operator_rules.py; where a kernel of LiteRT looks itself and refuses, there is none. */
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "memory.h"
#include "network.h"

struct spec {
    const char *name, *options;
    bool may_lack_options;
    unsigned char least_inputs, most_inputs, first_optional, least_outputs, most_outputs;
};

#include "operators.h"

enum { MANY = 255, ANY = -1, VALID = 1 };
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SHAPES "gives or takes sizes that do not follow from its input"

/* What a rule looks at: its operator, and the tensors of the graph. */
struct facts {
    const struct operator *operator;
    const struct graph_tensor *tensors;
};

/* The tensor that the operator reads at this place, NULL where there is none. */
static const struct graph_tensor *reads(const struct facts *facts, size_t place)
{
    const struct operator *operator = facts->operator;
    bool is_there = place < operator->input_count && operator->inputs[place] >= 0;
    return is_there ? &facts->tensors[operator->inputs[place]] : NULL;
}

static const struct graph_tensor *gives(const struct facts *facts)
{
    return &facts->tensors[facts->operator->outputs[0]];
}

/* The value of an option that the operator's table has; `absent` where it has no such one. */
static int64_t option(const struct facts *facts, const char *name, int64_t absent)
{
    const struct value *value = operator_option(facts->operator, name);
    return value ? value->number : absent;
}

static bool is_type(const struct graph_tensor *tensor, const char *type)
{
    return strcmp(tensor->type, type) == 0;
}

static int64_t elements(const struct graph_tensor *tensor)
{
    int64_t product = 1; /* at most MAX_TENSOR_BYTES, which network.c checks */
    for (int index = 0; index < tensor->rank; index++)
        product *= tensor->shape[index];
    return product;
}

/* The size of a dimension, ANY where the converter left it open. */
static int64_t known(const struct graph_tensor *tensor, int index)
{
    return tensor->is_open[index] ? ANY : tensor->shape[index];
}

static int32_t least_size(const struct graph_tensor *tensor)
{
    int32_t least = INT32_MAX;
    for (int index = 0; index < tensor->rank; index++)
        least = tensor->shape[index] < least ? tensor->shape[index] : least;
    return least;
}

/* Whether the tensor's sizes are others; ANY and what the converter left open fit all. */
static bool differs(const struct graph_tensor *tensor, int rank, const int64_t *sizes)
{
    bool same = tensor->rank == rank;
    for (int index = 0; same && index < rank; index++)
        same = sizes[index] == ANY || tensor->is_open[index] || tensor->shape[index] == sizes[index];
    return !same;
}

/* Whether it is a constant of whole numbers. */
static bool is_integers(const struct graph_tensor *tensor)
{
    return tensor->content && (is_type(tensor, "INT32") || is_type(tensor, "INT64"));
}

static int64_t integer_of(const struct graph_tensor *tensor, int64_t index)
{
    return is_type(tensor, "INT32") ? (int32_t)four_bytes(tensor->content + 4 * index)
                                    : (int64_t)eight_bytes(tensor->content + 8 * index);
}

static float scale_of(const struct graph_tensor *tensor, size_t index)
{
    return float_bytes(tensor->scales + 4 * index);
}

static double larger(double one, double other)
{
    return one > other ? one : other;
}

static int64_t divided_up(int64_t size, int64_t by)
{
    return (size + by - 1) / by;
}

/* Check strides, filter and gaps over the dimensions between batch and channels; `out` gets the sizes that come out. */
static const char *windows(const struct facts *facts, int count, const int64_t *sizes, int64_t *out)
{
    static const char *const strides[] = {"stride_d", "stride_h", "stride_w"};
    static const char *const dilations[] = {"dilation_d_factor", "dilation_h_factor", "dilation_w_factor"};
    const struct graph_tensor *image = reads(facts, 0);
    for (int index = 0; index < count; index++) {
        int name = index + 3 - count;
        int64_t stride = option(facts, strides[name], 0), dilation = option(facts, dilations[name], 1);
        int64_t size = sizes[index], over = known(image, index + 1);
        if (stride < 1 || stride > MAX_WINDOW || size < 1 || dilation < 1 ||
            (size > 1 && dilation > MAX_WINDOW) || (size - 1) * dilation + 1 > MAX_WINDOW)
            return "has a stride, a filter or a dilation that is not from 1 to 4096";
        if (over != ANY && option(facts, "padding", 0) == VALID) {
            over -= (size - 1) * dilation;
            if (over < 1)
                return "has a filter that is larger than its input";
        }
        out[index] = over == ANY ? ANY : divided_up(over, stride);
    }
    return NULL;
}

static bool has_word(const char *words, const char *wanted)
{
    size_t length = strlen(wanted);
    for (const char *word = words; (word = strstr(word, wanted)); word += length)
        if ((word == words || word[-1] == ' ') && (word[length] == ' ' || !word[length]))
            return true;
    return false;
}

static bool is_one_of(const struct graph_tensor *tensor, const char *types)
{
    return has_word(types, tensor->type);
}

/* Check types and quantization of what is weighed, the weights, their bias (at `place`) and what comes out. */
static const char *weighs(const struct facts *facts, int axis, const struct graph_tensor *of, size_t place)
{
    static const struct {
        const char *of, *weights, *bias;
    } together[] = {{"FLOAT32", "FLOAT32 INT8 UINT8 INT4 INT2", "FLOAT32"},
                    {"INT8", "INT8 INT4 INT2", "INT32"},
                    {"UINT8", "UINT8 INT8", "INT32"},
                    {"INT16", "INT8 INT4", "INT64 INT32"}};
    const struct graph_tensor *weights = reads(facts, 1), *bias = reads(facts, place), *output = gives(facts);
    size_t kind = 0;
    while (kind < COUNT(together) && !is_type(of, together[kind].of))
        kind++;
    if (kind == COUNT(together) || !is_one_of(weights, together[kind].weights) || !is_type(output, of->type))
        return "is of types that do not go together";
    if (bias && (!is_one_of(bias, together[kind].bias) || elements(bias) != weights->shape[axis]))
        return "has a bias of another type or size";
    if (is_one_of(weights, "INT8 UINT8 INT4 INT2") && weights->scale_count > 1 && weights->axis != axis)
        return "has weights with scales along another dimension";
    if (kind == 0)
        return NULL;
    bool has_steps = weights->scale_count && of->scale_count && output->scale_count;
    for (size_t index = 0; has_steps && index < of->scale_count; index++)
        has_steps = scale_of(of, index) > 0;
    for (size_t index = 0; has_steps && index < output->scale_count; index++)
        has_steps = scale_of(output, index) > 0;
    if (!has_steps)
        return "has a tensor without a quantization step";
    double most = 0;
    for (size_t index = 0; index < weights->scale_count; index++)
        most = larger(most, (double)scale_of(weights, index));
    /* XNNPACK refuses such an operator, and LiteRT frees some memory twice then. */
    return (double)scale_of(of, 0) * most < MAX_MULTIPLIER * (double)scale_of(output, 0)
               ? NULL
               : "has quantization steps too far from each other";
}

static const char *convolution(const struct facts *facts)
{
    const struct graph_tensor *image = reads(facts, 0), *weights = reads(facts, 1);
    if (image->rank != 4 || weights->rank != 4)
        return "reads tensors of other than 4 dimensions";
    bool by_depth = strcmp(facts->operator->name, "DEPTHWISE_CONV_2D") == 0, fits;
    const int32_t *shape = weights->shape;
    int64_t filter[] = {shape[1], shape[2]}, out[4], channels = image->shape[3];
    const char *wrong = windows(facts, 2, filter, out + 1);
    if (wrong)
        return wrong;
    if (by_depth) {
        int64_t named = option(facts, "depth_multiplier", 0);
        fits = shape[0] == 1 && channels > 0 && shape[3] > 0 && shape[3] % channels == 0 &&
               (named == 0 || named == shape[3] / channels);
    } else {
        fits = shape[3] > 0 && shape[0] > 0 && channels % shape[3] == 0 && channels >= shape[3] &&
               shape[0] % (channels / shape[3]) == 0;
    }
    int axis = by_depth ? 3 : 0;
    out[0] = known(image, 0);
    out[3] = shape[axis];
    if (!fits || differs(gives(facts), 4, out))
        return SHAPES;
    return weighs(facts, axis, image, 2);
}

static const char *volume(const struct facts *facts)
{
    const struct graph_tensor *image = reads(facts, 0), *weights = reads(facts, 1);
    if (image->rank != 5 || weights->rank != 5)
        return "reads tensors of other than 5 dimensions";
    if (option(facts, "dilation_d_factor", 1) != 1 || option(facts, "dilation_h_factor", 1) != 1 ||
        option(facts, "dilation_w_factor", 1) != 1) /* it reads behind its input then */
        return "has a dilation: expected 1";
    const int32_t *shape = weights->shape;
    int64_t filter[] = {shape[0], shape[1], shape[2]}, out[5] = {known(image, 0), 0, 0, 0, shape[4]};
    const char *wrong = windows(facts, 3, filter, out + 1);
    if (wrong)
        return wrong;
    if (least_size(weights) < 1 || image->shape[4] != shape[3] || differs(gives(facts), 5, out))
        return SHAPES;
    return weighs(facts, 4, image, 2);
}

static const char *transposed(const struct facts *facts)
{
    const struct graph_tensor *shape = reads(facts, 0), *weights = reads(facts, 1), *image = reads(facts, 2);
    const struct graph_tensor *output = gives(facts);
    if (image->rank != 4 || weights->rank != 4 || output->rank != 4)
        return "reads tensors of other than 4 dimensions";
    int64_t strides[] = {option(facts, "stride_h", 0), option(facts, "stride_w", 0)};
    int64_t named[4], four = 4, out[4] = {ANY, ANY, ANY, weights->shape[0]};
    if (strides[0] < 1 || strides[0] > MAX_WINDOW || strides[1] < 1 || strides[1] > MAX_WINDOW)
        return "has a stride that is not from 1 to 4096";
    if (!is_type(shape, "INT32") || differs(shape, 1, &four))
        return "has a shape that is not 4 whole numbers";
    if (is_integers(shape)) {
        bool positive = true;
        for (int index = 0; index < 4; index++) {
            named[index] = integer_of(shape, index);
            positive = positive && named[index] >= 1;
        }
        if (!positive || differs(output, 4, named))
            return "gives another shape than it is to give";
    }
    if (image->shape[3] != weights->shape[3] || least_size(weights) < 1 || differs(output, 4, out))
        return SHAPES;
    for (int index = 1; index <= 2; index++) {
        /* As many as a convolution of that stride over the output would give. */
        int64_t over = known(image, index), size = known(output, index);
        if (over == ANY || size == ANY)
            continue;
        if (option(facts, "padding", 0) == VALID)
            size -= weights->shape[index] - 1;
        if (size < 1 || divided_up(size, strides[index - 1]) != over)
            return SHAPES;
    }
    return weighs(facts, 0, image, 3);
}

/* Check that what comes out is of the type that goes in: the kernel writes it so, whatever the file says. */
static const char *same_type(const struct facts *facts)
{
    const struct graph_tensor *input = reads(facts, 0), *output = gives(facts);
    bool may_widen = strcmp(facts->operator->name, "SOFTMAX") == 0 && is_type(input, "INT8") && is_type(output, "INT16");
    return is_type(output, input->type) || may_widen ? NULL : "makes another type of its input";
}

static const char *pool(const struct facts *facts)
{
    const struct graph_tensor *image = reads(facts, 0);
    if (image->rank != 4)
        return "reads a tensor of other than 4 dimensions";
    int64_t filter[] = {option(facts, "filter_height", 0), option(facts, "filter_width", 0)};
    int64_t out[4] = {known(image, 0), 0, 0, known(image, 3)};
    const char *wrong = windows(facts, 2, filter, out + 1);
    return wrong ? wrong : differs(gives(facts), 4, out) ? SHAPES : same_type(facts);
}

static bool is_open(const struct graph_tensor *tensor)
{
    bool open = false;
    for (int index = 0; index < tensor->rank; index++)
        open = open || tensor->is_open[index];
    return open;
}

static const char *dense(const struct facts *facts)
{
    const struct graph_tensor *vector = reads(facts, 0), *weights = reads(facts, 1), *output = gives(facts);
    if (weights->rank != 2 || least_size(weights) < 1)
        return "has weights of other than 2 dimensions";
    if (!is_open(vector) && !is_open(output)) {
        int64_t count = elements(vector), width = weights->shape[1];
        if (count % width || elements(output) != count / width * weights->shape[0])
            return SHAPES;
    }
    return weighs(facts, 0, vector, 2);
}

/* Check how many elements come out, where no size is open: the runtime writes as many, whatever the file says. */
static const char *gives_elements(const struct facts *facts, int64_t count)
{
    bool open = is_open(gives(facts));
    for (size_t place = 0; place < facts->operator->input_count; place++)
        open = open || (reads(facts, place) && is_open(reads(facts, place)));
    return count == ANY || open || elements(gives(facts)) == count ? NULL : SHAPES;
}

/* How many elements two inputs make of one another; ANY where their sizes do not go together. */
static int64_t broadcast(const struct facts *facts)
{
    const struct graph_tensor *one = reads(facts, 0), *other = reads(facts, 1);
    int64_t count = 1; /* at most the product of two that are in bounds */
    for (int index = 1; index <= one->rank || index <= other->rank; index++) {
        int64_t size = index <= one->rank ? one->shape[one->rank - index] : 1;
        int64_t its = index <= other->rank ? other->shape[other->rank - index] : 1;
        if (size != its && size != 1 && its != 1)
            return ANY;
        count *= size == 1 ? its : size;
    }
    return count;
}

static const char *moved(const struct facts *facts)
{
    return gives_elements(facts, elements(reads(facts, 0)));
}

static const char *joined(const struct facts *facts)
{
    int64_t count = 0;
    for (size_t place = 0; place < facts->operator->input_count; place++)
        count += elements(reads(facts, place));
    return gives_elements(facts, count);
}

/* How many elements are left of the input where it is reduced along constant axes; ANY where these are not known. */
static int64_t reduced(const struct facts *facts)
{
    const struct graph_tensor *input = reads(facts, 0), *axes = reads(facts, 1);
    bool gone[MAX_TENSOR_RANK] = {false};
    int64_t count = 1;
    if (!is_integers(axes))
        return ANY;
    for (int64_t index = 0; input->rank && index < elements(axes); index++) {
        int64_t axis = integer_of(axes, index);
        gone[axis < 0 ? axis + input->rank : axis] = true;
    }
    for (int index = 0; index < input->rank; index++)
        count *= gone[index] ? 1 : input->shape[index];
    return count;
}

static const char *reduction(const struct facts *facts)
{
    const struct graph_tensor *axes = reads(facts, 1);
    int64_t rank = reads(facts, 0)->rank, count = elements(axes);
    bool fits = count <= (rank > 1 ? rank : 1);
    for (int64_t index = 0; fits && is_integers(axes) && index < count; index++)
        fits = integer_of(axes, index) >= -rank && integer_of(axes, index) < rank;
    if (!fits)
        return "is over dimensions that its input does not have";
    const char *wrong = same_type(facts);
    return wrong ? wrong : gives_elements(facts, reduced(facts));
}

/* How many elements an image of this size has; one more than there can be where that is beyond all bounds. */
static int64_t resized(const struct graph_tensor *input, int64_t height, int64_t width)
{
    unsigned __int128 count = (unsigned __int128)(uint64_t)height * (uint64_t)width;
    count = count >> 40 ? (unsigned __int128)1 << 40 : count;
    count *= (uint64_t)input->shape[0];
    count *= (uint64_t)input->shape[3];
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

/* How many elements there are with margins; ANY where these are not two from 0 on for each dimension. */
static int64_t padded(const struct graph_tensor *input, const struct graph_tensor *margins)
{
    const int64_t bound = (int64_t)1 << 40;
    unsigned __int128 count = 1;
    bool is_empty = false;
    if (elements(margins) != 2 * (int64_t)input->rank)
        return ANY;
    for (int index = 0; index < input->rank; index++) {
        int64_t before = integer_of(margins, 2 * index), after = integer_of(margins, 2 * index + 1);
        if (before < 0 || after < 0)
            return ANY;
        before = before < bound ? before : bound;
        after = after < bound ? after : bound;
        is_empty = is_empty || input->shape[index] + before + after == 0;
        count *= (uint64_t)(input->shape[index] + before + after);
        count = count > (uint64_t)bound ? (unsigned __int128)bound : count;
    }
    return is_empty ? 0 : (int64_t)count;
}

/* Check the lengths of lists of sizes, dimensions and the like: kernels copy them into places of fixed size. */
static const char *list(const struct facts *facts)
{
    int64_t most = MAX_TENSOR_RANK * (strstr(facts->operator->name, "PAD") ? 2 : 1);
    for (size_t place = 1; place < facts->operator->input_count; place++)
        if (reads(facts, place) && elements(reads(facts, place)) > most)
            return "reads more sizes or dimensions than a tensor has";
    const struct graph_tensor *input = reads(facts, 0), *sizes = reads(facts, 1);
    const char *wrong = same_type(facts);
    int64_t count = ANY;
    if (has_word("EXPAND_DIMS RESHAPE REVERSE_V2 TRANSPOSE", facts->operator->name)) {
        count = elements(input);
    } else if (strncmp(facts->operator->name, "RESIZE", 6) == 0) {
        bool known_sizes = is_integers(sizes);
        if (input->rank != 4 || (known_sizes && (elements(sizes) != 2 || integer_of(sizes, 0) < 1 ||
                                                 integer_of(sizes, 1) < 1)))
            return "resizes what is no image, or to no size";
        if (known_sizes)
            count = resized(input, integer_of(sizes, 0), integer_of(sizes, 1));
    } else if (strstr(facts->operator->name, "PAD") && is_integers(sizes)) {
        count = padded(input, sizes);
        if (count == ANY)
            return "has other margins than two from 0 on for each dimension";
    }
    return wrong ? wrong : gives_elements(facts, count);
}

/* Check a part against its input: the kernel reads what lies behind it, too. */
static const char *slice(const struct facts *facts)
{
    const struct graph_tensor *input = reads(facts, 0), *begins = reads(facts, 1), *sizes = reads(facts, 2);
    bool known_part = is_integers(begins) && is_integers(sizes);
    if (known_part && (elements(begins) != input->rank || elements(sizes) != input->rank))
        return "takes a part with other dimensions than its input's";
    for (int index = 0; known_part && index < input->rank; index++) {
        int64_t begin = integer_of(begins, index), size = integer_of(sizes, index), most = known(input, index);
        if (begin < 0 || size < -1 || (most != ANY && (begin > most || size > most - begin))) /* -1: what is left */
            return "takes a part that reaches beyond its input";
    }
    return list(facts);
}

/* Check the number of dimensions that come out: what reads them next was written for those of the file. */
static const char *slices(const struct facts *facts)
{
    int64_t ellipsis = option(facts, "ellipsis_mask", 0), new = option(facts, "new_axis_mask", 0);
    int64_t shrink = option(facts, "shrink_axis_mask", 0), count = elements(reads(facts, 1));
    int rank = reads(facts, 0)->rank;
    for (int index = 0; index < count && index < MAX_TENSOR_RANK; index++)
        if (!(ellipsis >> index & 1))
            rank += new >> index & 1 ? 1 : -(int)(shrink >> index & 1);
    if (gives(facts)->rank && gives(facts)->rank != rank) /* none: the converter did not know it */
        return "gives other dimensions than its options say";
    return list(facts);
}

static const char *parts(const struct facts *facts)
{
    const struct operator *operator = facts->operator;
    bool packs = strcmp(operator->name, "PACK") == 0;
    const char *name = packs ? "values_count" : strcmp(operator->name, "UNPACK") == 0 ? "num" : "num_splits";
    size_t count = packs ? operator->input_count : operator->output_count;
    return option(facts, name, 0) == (int64_t)count ? NULL : "has another number of parts than its options say";
}

/* What is wrong with quantization steps: kernels make numbers of fixed point of them and of their quotients. */
static const char *steps(const struct facts *facts)
{
    const struct operator *operator = facts->operator;
    double taken = 0, given = 0; /* the largest step of the inputs, the output's; 0: there is none */
    for (size_t place = 0; place < operator->input_count + operator->output_count; place++) {
        bool is_input = place < operator->input_count;
        const struct graph_tensor *tensor =
            is_input ? reads(facts, place) : &facts->tensors[operator->outputs[place - operator->input_count]];
        if (!tensor || !is_one_of(tensor, "INT8 UINT8 INT16"))
            continue;
        if (!tensor->scale_count)
            return "has a tensor of whole numbers without a quantization step";
        if (tensor->scale_count > 1) { /* weights may have one for each channel */
            if (strcmp(operator->name, "BATCH_MATMUL") == 0 && tensor->content)
                continue;
            return "has a tensor of whole numbers with several quantization steps";
        }
        double step = (double)scale_of(tensor, 0);
        if (!(step >= LEAST_STEP && step <= MOST_STEP))
            return "has a quantization step that is no network's";
        if (is_input)
            taken = larger(taken, step);
        else
            given = step;
    }
    if (taken == 0 || given == 0)
        return NULL;
    /* These kernels want multipliers below 1. */
    double shift = is_type(reads(facts, 0), "INT16") ? 32768.0 : 1048576.0;
    bool adds = strcmp(operator->name, "ADD") == 0 || strcmp(operator->name, "SUB") == 0;
    bool squares = strcmp(operator->name, "SQUARED_DIFFERENCE") == 0;
    if ((adds && !(2 * taken < given * shift)) || (squares && !(4 * taken * taken < given * 16384)))
        return "has quantization steps too far from each other";
    return NULL;
}

static const char *arithmetic(const struct facts *facts)
{
    const char *wrong = steps(facts);
    wrong = wrong ? wrong : same_type(facts);
    int64_t count = facts->operator->input_count == 2 ? broadcast(facts) : elements(reads(facts, 0));
    if (strcmp(facts->operator->name, "BATCH_MATMUL") == 0)
        count = ANY;
    return wrong ? wrong : gives_elements(facts, count);
}

static const char *comparison(const struct facts *facts)
{
    if (!is_type(reads(facts, 0), reads(facts, 1)->type) || !is_type(gives(facts), "BOOL"))
        return "compares different types, or makes no BOOL of them";
    for (size_t place = 0; place < 2; place++)
        for (size_t index = 0; index < reads(facts, place)->scale_count; index++)
            if (scale_of(reads(facts, place), index) >= 1)
                return "compares numbers with a quantization step of 1 or more";
    const char *wrong = steps(facts);
    return wrong ? wrong : gives_elements(facts, broadcast(facts));
}

static const struct {
    const char *(*rule)(const struct facts *);
    const char *names;
} RULES[] = {
    {convolution, "CONV_2D DEPTHWISE_CONV_2D"},
    {volume, "CONV_3D"},
    {dense, "FULLY_CONNECTED"},
    {transposed, "TRANSPOSE_CONV"},
    {pool, "AVERAGE_POOL_2D L2_POOL_2D MAX_POOL_2D"},
    {reduction, "MEAN REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM"},
    {parts, "PACK SPLIT SPLIT_V UNPACK"},
    {joined, "CONCATENATION"},
    {moved, "CAST CEIL DEQUANTIZE FLOOR QUANTIZE ROUND SQUEEZE"},
    {list, "BATCH_TO_SPACE_ND BROADCAST_TO EXPAND_DIMS MIRROR_PAD PAD PADV2 RESHAPE RESIZE_BILINEAR "
           "RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SPACE_TO_BATCH_ND TILE TRANSPOSE"},
    {slice, "SLICE"},
    {slices, "STRIDED_SLICE"},
    {comparison, "EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL"},
    {arithmetic, "ABS ADD ADD_N BATCH_MATMUL DIV ELU EXP GELU HARD_SWISH L2_NORMALIZATION LEAKY_RELU LOG LOGISTIC "
                 "LOG_SOFTMAX MAXIMUM MINIMUM MUL NEG POW PRELU RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RSQRT SOFTMAX SQRT "
                 "SQUARED_DIFFERENCE SUB TANH"},
};

static int by_name(const void *name, const void *spec)
{
    return strcmp(name, ((const struct spec *)spec)->name);
}

bool operator_has_size(const struct operator *operator, const struct graph_tensor *tensors)
{
    static const char always[] =
        "CONV_2D DEPTHWISE_CONV_2D CONV_3D FULLY_CONNECTED AVERAGE_POOL_2D L2_POOL_2D MAX_POOL_2D CONCATENATION CAST CEIL "
        "DEQUANTIZE FLOOR QUANTIZE ROUND SQUEEZE EXPAND_DIMS RESHAPE REVERSE_V2 TRANSPOSE ABS ADD ADD_N DIV ELU EXP GELU "
        "HARD_SWISH L2_NORMALIZATION LEAKY_RELU LOG LOGISTIC LOG_SOFTMAX MAXIMUM MINIMUM MUL NEG POW PRELU RELU RELU6 "
        "RELU_0_TO_1 RELU_N1_TO_1 RSQRT SOFTMAX SQRT SQUARED_DIFFERENCE SUB TANH EQUAL GREATER GREATER_EQUAL LESS "
        "LESS_EQUAL NOT_EQUAL";
    /* By the whole numbers that they read first, or second. */
    static const char by_first[] = "TRANSPOSE_CONV";
    static const char by_second[] = "MEAN REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM RESIZE_BILINEAR "
                                    "RESIZE_NEAREST_NEIGHBOR MIRROR_PAD PAD PADV2";
    const struct facts facts = {operator, tensors};
    bool open = operator->output_count != 1 || is_open(gives(&facts));
    for (size_t place = 0; place < operator->input_count && !open; place++)
        open = reads(&facts, place) && is_open(reads(&facts, place));
    if (open)
        return false;
    return has_word(always, operator->name) || (has_word(by_first, operator->name) && is_integers(reads(&facts, 0))) ||
           (has_word(by_second, operator->name) && is_integers(reads(&facts, 1)));
}

char *operator_fault(const struct operator *operator, const struct graph_tensor *tensors)
{
    const struct spec *spec = bsearch(operator->name, SPECS, COUNT(SPECS), sizeof *SPECS, by_name);
    if (!spec)
        return need_copy("is none that a runtime has");
    const char *options = operator->options ? operator->options->name : NULL;
    if (spec->options && !(options ? strcmp(options, spec->options) == 0 : spec->may_lack_options))
        return need_print("has %s: expected %s", options ? options : "no options", spec->options);
    if (operator->input_count < spec->least_inputs ||
        (spec->most_inputs != MANY && operator->input_count > spec->most_inputs))
        return need_print("has %zu inputs", operator->input_count);
    if (operator->output_count < spec->least_outputs ||
        (spec->most_outputs != MANY && operator->output_count > spec->most_outputs))
        return need_print("has %zu outputs", operator->output_count);
    for (size_t place = 0; place < operator->input_count && place < spec->first_optional; place++)
        if (operator->inputs[place] < 0)
            return need_copy("lacks an input");
    /* One without an end has so many needed inputs as there are. */
    for (size_t place = MANY; spec->first_optional == MANY && place < operator->input_count; place++)
        if (operator->inputs[place] < 0)
            return need_copy("lacks an input");
    const struct facts facts = {operator, tensors};
    for (size_t index = 0; index < COUNT(RULES); index++) {
        const char *wrong = has_word(RULES[index].names, operator->name) ? RULES[index].rule(&facts) : NULL;
        if (wrong)
            return need_copy(wrong);
    }
    return NULL;
}
