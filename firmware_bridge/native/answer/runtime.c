/* LiteRT's C library, opened at run time. It comes without headers, so what is called is declared here. Two generations
   of it are known: 2.1, and 2.2 to 2.3, in which a model belongs to an environment and options are text. */
#include "runtime.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "constants.h"
#include "memory.h"
#include "model.h"
#include "text.h"

/* XNNPACK's: int8 and uint8 kernels, which LiteRT has on of itself, and tables of addresses that are not kept. */
enum { INT8_KERNELS = 1 | 2, TRANSIENT_TABLES = 32 };
enum { CPU = 1, READ = 0, WRITE = 1, FLOAT32 = 1, INT8 = 9, PER_TENSOR = 1 };
enum { OUTPUT_DIFFERS = -1 };
#define OTHER_SHAPE "the network's output has another shape than the file says: expected one shape; convert it again"

typedef struct opaque *handle;

struct layout {
    uint32_t rank; /* the lowest 7 bits */
    int32_t dimensions[MAX_TENSOR_RANK];
    uint32_t strides[MAX_TENSOR_RANK];
};

struct ranked_type {
    int32_t element;
    struct layout layout;
};

struct quantization {
    float scale;
    int64_t zero_point;
};

/* The functions by LiteRT's names; each returns 0 where it went well. */
struct library {
    char *version;
    bool first; /* of generation 2.1 */
    int (*CreateEnvironment)(int, const void *, handle *);
    void (*DestroyEnvironment)(handle);
    union {
        void *found;
        int (*first)(const void *, size_t, handle *);
        int (*later)(handle, const void *, size_t, handle *);
    } CreateModelFromBuffer;
    void (*DestroyModel)(handle);
    int (*GetModelSubgraph)(handle, size_t, handle *);
    int (*GetSubgraphInput)(handle, size_t, handle *);
    int (*GetSubgraphOutput)(handle, size_t, handle *);
    int (*GetRankedTensorType)(handle, struct ranked_type *);
    int (*GetQuantizationTypeId)(handle, int *);
    int (*GetPerTensorQuantization)(handle, struct quantization *);
    int (*CreateOptions)(handle *);
    void (*DestroyOptions)(handle);
    int (*SetOptionsHardwareAccelerators)(handle, int);
    int (*AddOpaqueOptions)(handle, handle);
    int (*CreateOpaqueOptions)(const char *, void *, void (*)(void *), handle *);
    int (*CreateCpuOptions)(handle *);              /* 2.1 */
    int (*FindCpuOptions)(handle, handle *);        /* 2.1 */
    int (*SetCpuOptionsNumThread)(handle, int);     /* 2.1 */
    int (*SetCpuOptionsXNNPackFlags)(handle, uint32_t); /* 2.1 */
    int (*CreateCompiledModel)(handle, handle, handle, handle *);
    void (*DestroyCompiledModel)(handle);
    int (*CompiledModelIsFullyAccelerated)(handle, bool *);
    int (*GetCompiledModelInputBufferRequirements)(handle, size_t, size_t, handle *);
    int (*GetCompiledModelOutputTensorLayouts)(handle, size_t, size_t, struct layout *, bool);
    int (*GetCompiledModelOutputBufferRequirements)(handle, size_t, size_t, handle *);
    int (*CreateManagedTensorBufferFromRequirements)(handle, const struct ranked_type *, handle, handle *);
    void (*DestroyTensorBuffer)(handle);
    int (*GetTensorBufferPackedSize)(handle, size_t *);
    int (*LockTensorBuffer)(handle, void **, int);
    int (*UnlockTensorBuffer)(handle);
    int (*RunCompiledModel)(handle, size_t, size_t, handle *, size_t, handle *);
};

/* LiteRT counts inputs and outputs as the graph does, whatever the order in a signature is. */
struct session {
    const struct library *library;
    handle environment, model, options, compiled, inputs[MAX_ENTRIES], outputs[MAX_ENTRIES];
};

#define NAMED(name) {"LiteRt" #name, offsetof(struct library, name)}

static const struct {
    const char *name;
    size_t place;
} FUNCTIONS[] = {
    NAMED(CreateEnvironment), NAMED(DestroyEnvironment), NAMED(CreateModelFromBuffer), NAMED(DestroyModel),
    NAMED(GetModelSubgraph),
    NAMED(GetSubgraphInput), NAMED(GetSubgraphOutput), NAMED(GetRankedTensorType), NAMED(GetQuantizationTypeId),
    NAMED(GetPerTensorQuantization), NAMED(CreateOptions), NAMED(DestroyOptions), NAMED(SetOptionsHardwareAccelerators),
    NAMED(AddOpaqueOptions), NAMED(CreateOpaqueOptions), NAMED(CreateCompiledModel), NAMED(DestroyCompiledModel),
    NAMED(CompiledModelIsFullyAccelerated), NAMED(GetCompiledModelInputBufferRequirements),
    NAMED(GetCompiledModelOutputTensorLayouts), NAMED(GetCompiledModelOutputBufferRequirements),
    NAMED(CreateManagedTensorBufferFromRequirements), NAMED(DestroyTensorBuffer), NAMED(GetTensorBufferPackedSize), NAMED(LockTensorBuffer), NAMED(UnlockTensorBuffer),
    NAMED(RunCompiledModel),
    /* of generation 2.1 alone */
    NAMED(CreateCpuOptions), NAMED(FindCpuOptions), NAMED(SetCpuOptionsNumThread),
    NAMED(SetCpuOptionsXNNPackFlags)};
enum { FUNCTION_COUNT = sizeof FUNCTIONS / sizeof FUNCTIONS[0], FIRST_ONLY = 4 };

/* The library says no version. It is in the name (libLiteRt.so.2.3.0), or in the Python package that it is part of. */
static char *version_of(const char *path)
{
    char real[PATH_MAX], beside[PATH_MAX + 20], text[200] = "";
    if (!realpath(path, real))
        return NULL;
    char *name = strstr(real, ".so.");
    if (name && isdigit((unsigned char)name[4]))
        return need_copy(name + 4);
    char *slash = strrchr(real, '/');
    snprintf(beside, sizeof beside, "%.*s/__init__.py", (int)(slash - real), real);
    FILE *file = fopen(beside, "re");
    char *found = NULL;
    for (char version[40]; file && !found && fgets(text, sizeof text, file);)
        if (sscanf(text, "__version__ = \"%39[0-9.]\"", version) == 1)
            found = need_copy(version);
    if (file)
        fclose(file);
    return found;
}

static char *library_path(void)
{
    return installed("EDGE_INFER_LITERT", "lib/libLiteRt.so");
}

/* False where some are missing. */
static bool find_functions(struct library *library, void *opened)
{
    int missing = 0, missing_first = 0;
    for (int index = 0; index < FUNCTION_COUNT; index++) {
        void *function = dlsym(opened, FUNCTIONS[index].name);
        memcpy((char *)library + FUNCTIONS[index].place, &function, sizeof function);
        missing += !function && index < FUNCTION_COUNT - FIRST_ONLY;
        missing_first += !function && index >= FUNCTION_COUNT - FIRST_ONLY;
    }
    library->first = missing_first == 0;
    return missing == 0 && (missing_first == 0 || missing_first == FIRST_ONLY);
}

struct library *library_open(struct failure *failure)
{
    char *path = library_path();
    struct library *library = need(sizeof *library);
    /* LiteRT's library asks for all of its functions at once of itself; the C++ library under it need not. */
    void *opened = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    int major = 0, minor = 0;
    if (!opened) {
        const char *reason = dlerror();
        fail_as(failure, access(path, F_OK) == 0 ? "runtime.broken" : "runtime.missing", "LiteRT's library can't be "
                "opened (%s): expected libLiteRt.so of ai-edge-litert 2.1 to 2.3 in ../lib beside the program's "
                "folder, or named by EDGE_INFER_LITERT", reason ? reason : path);
    } else {
        library->version = version_of(path);
        bool whole = find_functions(library, opened);
        if (library->version)
            sscanf(library->version, "%d.%d", &major, &minor);
        /* Other versions may have other arguments, and calling them with these would be a leap in the dark. */
        if (!library->version || major != 2 || minor < 1 || minor > 3 || !whole || library->first != (minor == 1))
            fail_as(failure, "runtime.broken",
                    "%s is of LiteRT %s: expected 2.1, 2.2 or 2.3, by its name (libLiteRt.so.2.3.0) or by the "
                    "__init__.py of ai-edge-litert beside it; take it from that package", path, library->version ?
                    library->version : "of no known version");
    }
    free(path);
    if (!failure->text)
        return library;
    library_close(library);
    return NULL;
}

/* dlopen's own handle stays until the process ends: LiteRT's threads may outlive what they were made for. */
void library_close(struct library *library)
{
    if (library)
        free(library->version);
    free(library);
}

static volatile sig_atomic_t at_work, saved = -1; /* `saved`: standard error, while LiteRT is at work */

/* LiteRT tells of its start and its troubles on standard error; nothing of that is for users. */
static void silence(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    saved = fcntl(2, F_DUPFD_CLOEXEC, 3);
    if (saved >= 0 && nowhere >= 0)
        dup2(nowhere, 2);
    if (nowhere >= 0)
        close(nowhere);
    at_work = 1;
}

static void unsilence(void)
{
    at_work = 0;
    if (saved >= 0) {
        dup2(saved, 2);
        close(saved);
    }
    saved = -1;
}

bool runtime_interrupted(void)
{
    if (at_work && saved >= 0)
        dup2(saved, 2);
    return at_work;
}

static int set_options(const struct library *library, handle options, int threads, bool once)
{
    handle opaque = NULL, cpu = NULL;
    int status;
    if (library->first) {
        status = library->CreateCpuOptions(&opaque);
        status = status ? status : library->FindCpuOptions(opaque, &cpu);
        status = status ? status : library->SetCpuOptionsNumThread(cpu, threads);
        if (!status && once)
            status = library->SetCpuOptionsXNNPackFlags(cpu, INT8_KERNELS | TRANSIENT_TABLES);
    } else {
        struct text text = {0};
        text_print(&text, "num_threads = %d\n", threads);
        if (once)
            text_print(&text, "flags = %d\n", INT8_KERNELS | TRANSIENT_TABLES);
        status = library->CreateOpaqueOptions("xnnpack", text.at, free, &opaque);
    }
    return status ? status : library->AddOpaqueOptions(options, opaque);
}

static bool describe(const struct library *library, handle of, struct ranked_type *type,
                     struct tensor *tensor)
{
    int kind = 0;
    struct quantization quantization = {0};
    if (library->GetRankedTensorType(of, type))
        return false;
    *tensor = (struct tensor){.rank = (int)(type->layout.rank & 0x7f), .type = type->element == INT8      ? "int8"
                                                                        : type->element == FLOAT32 ? "float32"
                                                                                                   : "of another type"};
    if (tensor->rank > MAX_TENSOR_RANK)
        return false;
    for (int index = 0; index < tensor->rank; index++) {
        if (type->layout.dimensions[index] < 0)
            type->layout.dimensions[index] = 1; /* a batch of any size */
        tensor->shape[index] = type->layout.dimensions[index];
    }
    if (library->GetQuantizationTypeId(of, &kind) == 0 && kind == PER_TENSOR &&
        library->GetPerTensorQuantization(of, &quantization) == 0) {
        tensor->scale = (double)quantization.scale;
        tensor->zero_point = quantization.zero_point;
    }
    return true;
}

/* Whether the outputs have the shapes that the file says: operators may decide on it while they run. `make`: the
   tensors. */
static bool have_their_shapes(const struct runtime *runtime, bool make)
{
    const struct session *session = runtime->session;
    struct layout layouts[MAX_ENTRIES] = {0};
    bool same = !session->library->GetCompiledModelOutputTensorLayouts(session->compiled, 0, runtime->output_count,
                                                                       layouts, make);
    for (size_t number = 0; number < runtime->output_count; number++) {
        const struct tensor *output = &runtime->outputs[number];
        const struct layout *given = &layouts[number];
        same = same && (int)(given->rank & 0x7f) == output->rank;
        for (int index = 0; same && index < output->rank; index++)
            same = given->dimensions[index] == output->shape[index];
    }
    return same;
}

void tensor_shape(const struct tensor *tensor, struct text *text)
{
    text_print(text, "%s (", tensor->type);
    for (int index = 0; index < tensor->rank; index++)
        text_print(text, "%s%d", index ? ", " : "", (int)tensor->shape[index]);
    text_word(text, tensor->rank == 1 ? ",)" : ")");
}

/* Describe the inputs or the outputs. Return 0, or what LiteRT answered. */
static int describe_all(const struct library *library, handle graph, int (*get)(handle, size_t, handle *), size_t count,
                        struct ranked_type *types, struct tensor *tensors)
{
    int status = 0;
    for (size_t index = 0; !status && index < count; index++) {
        handle tensor = NULL;
        status = get(graph, index, &tensor);
        if (!status && !describe(library, tensor, &types[index], &tensors[index]))
            status = 1;
    }
    return status;
}

/* Make the buffers of the inputs or of the outputs, and note their sizes. Return 0, or what LiteRT answered. */
static int make_buffers(struct session *session, int (*get)(handle, size_t, size_t, handle *), size_t count,
                        const struct ranked_type *types, struct tensor *tensors, handle *buffers)
{
    const struct library *library = session->library;
    int status = 0;
    for (size_t index = 0; !status && index < count; index++) {
        handle wants = NULL;
        status = get(session->compiled, 0, index, &wants);
        status = status ? status : library->CreateManagedTensorBufferFromRequirements(session->environment, &types[index],
                                                                                      wants, &buffers[index]);
        status = status ? status : library->GetTensorBufferPackedSize(buffers[index], &tensors[index].bytes);
    }
    return status;
}

/* Compile the network. Return 0, or what LiteRT answered. */
static int compile(struct runtime *runtime, const struct bytes *flatbuffer, bool once)
{
    struct session *session = runtime->session;
    const struct library *library = session->library;
    bool all = false;
    int status = library->CreateEnvironment(0, NULL, &session->environment);
    if (!status)
        status = library->first ? library->CreateModelFromBuffer.first(flatbuffer->at, flatbuffer->count, &session->model)
                                : library->CreateModelFromBuffer.later(session->environment, flatbuffer->at,
                                                                       flatbuffer->count, &session->model);
    status = status ? status : library->CreateOptions(&session->options);
    status = status ? status : library->SetOptionsHardwareAccelerators(session->options, CPU);
    status = status ? status : set_options(library, session->options, runtime->threads, once);
    status = status ? status : library->CreateCompiledModel(session->environment, session->model, session->options,
                                                            &session->compiled);
    status = status ? status : library->CompiledModelIsFullyAccelerated(session->compiled, &all);
    runtime->delegate = all ? "xnnpack" : "xnnpack in part";
    runtime->kernel_path = "xnnpack";
    return status;
}

/* Describe the tensors and make their buffers. Return 0, OUTPUT_DIFFERS, or what LiteRT answered. */
static int prepare(struct runtime *runtime, bool early)
{
    struct session *session = runtime->session;
    const struct library *library = session->library;
    struct ranked_type inputs[MAX_ENTRIES], outputs[MAX_ENTRIES];
    handle graph = NULL;
    int status = library->GetModelSubgraph(session->model, 0, &graph);
    status = status ? status : describe_all(library, graph, library->GetSubgraphInput, runtime->input_count, inputs,
                                            runtime->inputs);
    status = status ? status : describe_all(library, graph, library->GetSubgraphOutput, runtime->output_count, outputs,
                                            runtime->outputs);
    if (!status && early && !have_their_shapes(runtime, true))
        status = OUTPUT_DIFFERS;
    status = status ? status : make_buffers(session, library->GetCompiledModelInputBufferRequirements,
                                            runtime->input_count, inputs, runtime->inputs, session->inputs);
    return status ? status : make_buffers(session, library->GetCompiledModelOutputBufferRequirements,
                                          runtime->output_count, outputs, runtime->outputs, session->outputs);
}

bool runtime_open(struct runtime *runtime, const struct library *library, const struct bytes *flatbuffer,
                  const struct network *network, int threads, bool once, struct failure *failure)
{
    *runtime = (struct runtime){.version = library->version, .threads = threads, .input_count = network->input_count,
                                .output_count = network->output_count};
    if (threads < 1 || threads > MAX_THREADS)
        return fail_as(failure, "arguments.invalid",
                       "%d threads were asked for: expected a whole number from 1 to %d", threads, MAX_THREADS);
    if (!network->input_count || !network->output_count || network->input_count > MAX_ENTRIES ||
        network->output_count > MAX_ENTRIES)
        return fail_as(failure, "model.tensors", "the network has %zu inputs and %zu outputs: expected 1 to %d of each",
                       network->input_count, network->output_count, MAX_ENTRIES);
    struct session *session = runtime->session = need(sizeof *runtime->session);
    session->library = library;
    silence();
    int status = compile(runtime, flatbuffer, once);
    status = status ? status : prepare(runtime, !network->has_sizes);
    unsilence();
    if (!status)
        return true;
    runtime_close(runtime);
    if (status == OUTPUT_DIFFERS)
        return fail_as(failure, "model.output", OTHER_SHAPE);
    return fail_as(failure, "runtime.refused",
                   "ai-edge-litert %s can't load the network (status %d): upgrade the runtime, or convert the "
                   "network again with operators that it has", library->version, status);
}

/* Copy a tensor's bytes into its buffer, or out of it. Return 0, or what LiteRT answered. */
static int copy(const struct library *library, handle buffer, int way, void *bytes, size_t count)
{
    void *memory = NULL;
    int status = library->LockTensorBuffer(buffer, &memory, way);
    if (status)
        return status;
    memcpy(way == WRITE ? memory : bytes, way == WRITE ? bytes : memory, count);
    return library->UnlockTensorBuffer(buffer);
}

bool runtime_run(struct runtime *runtime, void *const *inputs, void *const *outputs, struct failure *failure)
{
    struct session *session = runtime->session;
    const struct library *library = session->library;
    int status = 0;
    for (size_t index = 0; !status && index < runtime->input_count; index++)
        status = copy(library, session->inputs[index], WRITE, inputs[index], runtime->inputs[index].bytes);
    if (!status) {
        silence();
        status = library->RunCompiledModel(session->compiled, 0, runtime->input_count, session->inputs,
                                           runtime->output_count, session->outputs);
        unsilence();
    }
    if (!status && !have_their_shapes(runtime, false))
        return fail_as(failure, "model.output", OTHER_SHAPE);
    for (size_t index = 0; !status && index < runtime->output_count; index++)
        status = copy(library, session->outputs[index], READ, outputs[index], runtime->outputs[index].bytes);
    return !status || fail_as(failure, "runtime.refused",
                              "ai-edge-litert %s can't run the network: status %d", runtime->version, status);
}

void runtime_close(struct runtime *runtime)
{
    struct session *session = runtime->session;
    if (!session)
        return;
    const struct library *library = session->library;
    silence();
    for (size_t index = 0; index < MAX_ENTRIES; index++) {
        if (session->inputs[index])
            library->DestroyTensorBuffer(session->inputs[index]);
        if (session->outputs[index])
            library->DestroyTensorBuffer(session->outputs[index]);
    }
    if (session->compiled)
        library->DestroyCompiledModel(session->compiled);
    if (session->options)
        library->DestroyOptions(session->options);
    if (session->model)
        library->DestroyModel(session->model);
    if (session->environment)
        library->DestroyEnvironment(session->environment);
    unsilence();
    free(session);
    runtime->session = NULL;
}
