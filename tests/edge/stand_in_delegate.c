/*
 * A delegate library that stands in for Coral's libedgetpu.so.1. EDGE_STAND_IN says what it does:
 *
 *     all, some, none   take every operator, the first half of them, or none
 *     custom            take what Coral's takes: operators called edgetpu-custom-op; they copy their input, byte by byte
 *     error             can't be created
 *     refuse            is created, and fails when it meets the network
 *     fail              fails when the network runs
 *     crash, exit, hang end or hold up the process when the network runs
 *
 * Operators that it takes are computed by the runtime's own kernels, called from here, so that answers are right.
 *
 * The runtimes come without headers. What is declared is as much of TFLite's C structures as is used here, in the order
 * and with the types in which they lie in memory (tensorflow/lite/core/c/common.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, ERROR = 1, MOST_TENSORS = 8, IN_ARENA = 2, IN_ARENA_FOR_GOOD = 3, ALLOW_DYNAMIC_TENSORS = 1 };

struct ints {
    int size;
    int data[];
};

struct tensor {
    int type;
    void *data;
    struct ints *dims;
    float scale;
    int32_t zero_point;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    struct delegate *delegate;
    int buffer_handle;
    bool data_is_stale, is_variable;
    int quantization_type;
    void *quantization;
    void *sparsity;
    const struct ints *dims_signature;
};

struct node {
    struct ints *inputs, *outputs, *intermediates, *temporaries;
    void *user_data, *builtin_data;
    const void *custom_initial_data;
    int custom_initial_data_size;
    struct delegate *delegate;
    bool might_have_side_effect;
};

struct context;

struct registration {
    void *(*init)(struct context *, const char *, size_t);
    void (*free)(struct context *, void *);
    int (*prepare)(struct context *, struct node *);
    int (*invoke)(struct context *, struct node *);
    const char *(*profiling_string)(const struct context *, const struct node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *newer_fields[8]; /* more than any version has: it is given by value, on the stack, and zeros mean nothing */
};

struct context {
    size_t tensors_size;
    int (*get_execution_plan)(struct context *, struct ints **);
    struct tensor *tensors;
    void *impl;
    int (*resize_tensor)(struct context *, struct tensor *, struct ints *);
    void (*report_error)(struct context *, const char *, ...);
    int (*add_tensors)(struct context *, int, int *);
    int (*get_node)(struct context *, int, struct node **, struct registration **);
    int (*replace)(struct context *, struct registration, const struct ints *, struct delegate *);
};

struct delegate {
    void *data;
    int (*prepare)(struct context *, struct delegate *);
    int (*copy_from)(void);
    int (*copy_to)(void);
    void (*free_handle)(void);
    int64_t flags;
    void *opaque_builder;
};

struct parameters {
    struct delegate *delegate;
    struct ints *nodes, *inputs, *outputs;
};

/* The operators that one of the delegate's nodes took the place of. */
struct taken {
    int count;
    struct step {
        struct node node;
        int (*prepare)(struct context *, struct node *);
        int (*invoke)(struct context *, struct node *);
        bool copies;
        void *outputs[MOST_TENSORS], *temporaries[MOST_TENSORS];
    } steps[];
};

static bool mode_is(const char *mode) {
    const char *asked = getenv("EDGE_STAND_IN");
    return asked != NULL && strcmp(asked, mode) == 0;
}

static void *init(struct context *context, const char *buffer, size_t length) {
    (void)length;
    const struct parameters *parameters = (const void *)buffer;
    struct taken *taken = calloc(1, sizeof *taken + (size_t)parameters->nodes->size * sizeof taken->steps[0]);
    taken->count = parameters->nodes->size;
    for (int i = 0; i < taken->count; i++) {
        struct node *node;
        struct registration *registration;
        context->get_node(context, parameters->nodes->data[i], &node, &registration);
        struct step *step = &taken->steps[i];
        *step = (struct step){.node = *node, .copies = registration->custom_name != NULL};
        step->prepare = registration->prepare;
        step->invoke = registration->invoke;
        step->node.temporaries = calloc(1, sizeof(struct ints)); /* kernels free theirs and make new ones */
    }
    return taken;
}

static void release(struct context *context, void *user_data) {
    (void)context;
    free(user_data);
}

static bool holds(const struct ints *list, int index) {
    for (int i = 0; i < list->size; i++)
        if (list->data[i] == index) return true;
    return false;
}

/*
 * The runtime plans memory for tensors of the nodes that it sees. Those between nodes that it does not see get theirs
 * here, and again at each invoke, because the runtime takes it away again.
 */
static void make_memory(const struct context *context, const struct ints *tensors, void **memory) {
    for (int i = 0; i < tensors->size && i < MOST_TENSORS; i++) {
        const struct tensor *tensor = &context->tensors[tensors->data[i]];
        bool planned = tensor->allocation_type == IN_ARENA || tensor->allocation_type == IN_ARENA_FOR_GOOD;
        memory[i] = planned ? calloc(1, tensor->bytes + 64) : NULL;
    }
}

static void give_memory(struct context *context, const struct ints *tensors, const struct ints *seen, void **memory) {
    for (int i = 0; i < tensors->size && i < MOST_TENSORS; i++)
        if (memory[i] != NULL && !holds(seen, tensors->data[i])) context->tensors[tensors->data[i]].data = memory[i];
}

static int prepare(struct context *context, struct node *node) {
    struct taken *taken = node->user_data;
    for (int i = 0; i < taken->count; i++) {
        struct step *step = &taken->steps[i];
        if (!step->copies && step->prepare != NULL && step->prepare(context, &step->node) != OK) return ERROR;
        make_memory(context, step->node.outputs, step->outputs);
        make_memory(context, step->node.temporaries, step->temporaries);
    }
    return OK;
}

static void copy(struct context *context, const struct node *node) {
    const struct tensor *from = &context->tensors[node->inputs->data[0]];
    struct tensor *to = &context->tensors[node->outputs->data[0]];
    for (size_t i = 0; i < to->bytes; i++) ((char *)to->data)[i] = ((const char *)from->data)[i % from->bytes];
}

static int invoke(struct context *context, struct node *node) {
    if (mode_is("crash")) abort();
    if (mode_is("exit")) _exit(3);
    if (mode_is("hang")) pause();
    if (mode_is("fail")) {
        context->report_error(context, "the stand-in fails");
        return ERROR;
    }
    struct taken *taken = node->user_data;
    for (int i = 0; i < taken->count; i++) {
        struct step *step = &taken->steps[i];
        give_memory(context, step->node.outputs, node->outputs, step->outputs);
        give_memory(context, step->node.temporaries, node->outputs, step->temporaries);
        if (step->copies)
            copy(context, &step->node);
        else if (step->invoke(context, &step->node) != OK)
            return ERROR;
    }
    return OK;
}

static int meet(struct context *context, struct delegate *delegate) {
    if (mode_is("refuse")) {
        context->report_error(context, "the stand-in refuses");
        return ERROR;
    }
    struct ints *plan;
    if (context->get_execution_plan(context, &plan) != OK) return ERROR;
    struct ints *nodes = calloc(1, sizeof *nodes + (size_t)plan->size * sizeof(int));
    int wanted = mode_is("none") ? 0 : mode_is("some") ? plan->size / 2 : plan->size;
    for (int i = 0; i < wanted; i++) {
        struct node *node;
        struct registration *registration;
        context->get_node(context, plan->data[i], &node, &registration);
        bool is_custom = registration->custom_name != NULL && strcmp(registration->custom_name, "edgetpu-custom-op") == 0;
        if (is_custom || !mode_is("custom")) nodes->data[nodes->size++] = plan->data[i];
    }
    struct registration kernel = {
        .init = init, .free = release, .prepare = prepare, .invoke = invoke, .custom_name = "stand-in", .version = 1};
    int status = nodes->size ? context->replace(context, kernel, nodes, delegate) : OK;
    free(nodes);
    return status;
}

struct delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    (void)keys, (void)values, (void)count;
    if (mode_is("error")) {
        report("the stand-in finds no device");
        return NULL;
    }
    struct delegate *delegate = calloc(1, sizeof *delegate);
    delegate->prepare = meet;
    delegate->flags = ALLOW_DYNAMIC_TENSORS; /* as Coral's; without, the custom operator is refused before it is met */
    return delegate;
}

void tflite_plugin_destroy_delegate(struct delegate *delegate) { free(delegate); }
