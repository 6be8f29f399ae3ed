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

#include "memory.h"
#include "model.h"
#include "text.h"

/* XNNPACK's: int8 and uint8 kernels, which LiteRT has on of itself, and tables of addresses that are not kept. */
enum { INT8_KERNELS = 1 | 2, TRANSIENT_TABLES = 32 };
enum { MAX_THREADS = 64, CPU = 1, READ = 0, WRITE = 1, FLOAT32 = 1, INT8 = 9, PER_TENSOR = 1, MAX_RANK = 8 };
enum { OUTPUT_DIFFERS = -1 };
#define OTHER_SHAPE "the network's output has another shape than the file says: expected one shape; convert it again"

typedef struct opaque *handle;

struct layout {
    uint32_t rank; /* the lowest 7 bits */
    int32_t dimensions[MAX_RANK];
    uint32_t strides[MAX_RANK];
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
    int (*GetNumModelSignatures)(handle, size_t *);
    int (*GetModelSubgraph)(handle, size_t, handle *);
    int (*GetNumSubgraphInputs)(handle, size_t *);
    int (*GetNumSubgraphOutputs)(handle, size_t *);
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

struct session {
    const struct library *library;
    handle environment, model, options, compiled, input, output;
};

#define NAMED(name) {"LiteRt" #name, offsetof(struct library, name)}

static const struct {
    const char *name;
    size_t place;
} FUNCTIONS[] = {
    NAMED(CreateEnvironment), NAMED(DestroyEnvironment), NAMED(CreateModelFromBuffer), NAMED(DestroyModel),
    NAMED(GetNumModelSignatures), NAMED(GetModelSubgraph), NAMED(GetNumSubgraphInputs), NAMED(GetNumSubgraphOutputs),
    NAMED(GetSubgraphInput), NAMED(GetSubgraphOutput), NAMED(GetRankedTensorType), NAMED(GetQuantizationTypeId),
    NAMED(GetPerTensorQuantization), NAMED(CreateOptions), NAMED(DestroyOptions), NAMED(SetOptionsHardwareAccelerators),
    NAMED(AddOpaqueOptions), NAMED(CreateOpaqueOptions), NAMED(CreateCompiledModel), NAMED(DestroyCompiledModel),
    NAMED(CompiledModelIsFullyAccelerated), NAMED(GetCompiledModelInputBufferRequirements),
    NAMED(GetCompiledModelOutputTensorLayouts), NAMED(GetCompiledModelOutputBufferRequirements), NAMED(CreateManagedTensorBufferFromRequirements),
    NAMED(DestroyTensorBuffer), NAMED(GetTensorBufferPackedSize), NAMED(LockTensorBuffer), NAMED(UnlockTensorBuffer),
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
                    "%s is of LiteRT %s: expected 2.1, 2.2 or 2.3, said by its name (libLiteRt.so.2.3.0) or by the "
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
    if (tensor->rank > MAX_RANK)
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

/* Whether the output has the shape that the file says: operators may decide on it while they run. `make`: the tensors. */
static bool has_its_shape(const struct session *session, const struct tensor *output, bool make)
{
    struct layout given = {0};
    int status = session->library->GetCompiledModelOutputTensorLayouts(session->compiled, 0, 1, &given, make);
    bool same = !status && (int)(given.rank & 0x7f) == output->rank;
    for (int index = 0; same && index < output->rank; index++)
        same = given.dimensions[index] == output->shape[index];
    return same;
}

/* Make the session, and say in `status` what LiteRT answered where that fails. */
static bool start(struct runtime *runtime, const struct bytes *flatbuffer, bool once, bool early, size_t counts[2],
                  int *status)
{
    struct session *session = runtime->session;
    const struct library *library = session->library;
    handle graph = NULL, input = NULL, output = NULL, wants_input = NULL, wants_output = NULL;
    struct ranked_type input_type, output_type;
    bool all = false;
    if ((*status = library->CreateEnvironment(0, NULL, &session->environment)))
        return false;
    *status = library->first ? library->CreateModelFromBuffer.first(flatbuffer->at, flatbuffer->count, &session->model)
                             : library->CreateModelFromBuffer.later(session->environment, flatbuffer->at,
                                                                    flatbuffer->count, &session->model);
    if (*status || (*status = library->GetModelSubgraph(session->model, 0, &graph)) ||
        (*status = library->GetNumSubgraphInputs(graph, &counts[0])) ||
        (*status = library->GetNumSubgraphOutputs(graph, &counts[1])))
        return false;
    if (counts[0] != 1 || counts[1] != 1)
        return false;
    if ((*status = library->CreateOptions(&session->options)) ||
        (*status = library->SetOptionsHardwareAccelerators(session->options, CPU)) ||
        (*status = set_options(library, session->options, runtime->threads, once)) ||
        (*status = library->CreateCompiledModel(session->environment, session->model, session->options,
                                                &session->compiled)) ||
        (*status = library->CompiledModelIsFullyAccelerated(session->compiled, &all)) ||
        (*status = library->GetSubgraphInput(graph, 0, &input)) ||
        (*status = library->GetSubgraphOutput(graph, 0, &output)))
        return false;
    if (!describe(library, input, &input_type, &runtime->input) ||
        !describe(library, output, &output_type, &runtime->output)) {
        *status = 1;
        return false;
    }
    if (early && !has_its_shape(session, &runtime->output, true)) {
        *status = OUTPUT_DIFFERS;
        return false;
    }
    runtime->delegate = all ? "xnnpack" : "xnnpack in part";
    runtime->kernel_path = "xnnpack";
    if ((*status = library->GetCompiledModelInputBufferRequirements(session->compiled, 0, 0, &wants_input)) ||
        (*status = library->GetCompiledModelOutputBufferRequirements(session->compiled, 0, 0, &wants_output)) ||
        (*status = library->CreateManagedTensorBufferFromRequirements(session->environment, &input_type, wants_input,
                                                                      &session->input)) ||
        (*status = library->CreateManagedTensorBufferFromRequirements(session->environment, &output_type, wants_output,
                                                                      &session->output)) ||
        (*status = library->GetTensorBufferPackedSize(session->input, &runtime->input.bytes)) ||
        (*status = library->GetTensorBufferPackedSize(session->output, &runtime->output.bytes)))
        return false;
    return true;
}

bool runtime_open(struct runtime *runtime, const struct library *library, const struct bytes *flatbuffer, int threads,
                  bool once, bool early, struct failure *failure)
{
    *runtime = (struct runtime){.version = library->version, .threads = threads};
    size_t counts[2] = {1, 1};
    int status = 0;
    if (threads < 1 || threads > MAX_THREADS)
        return fail_as(failure, "arguments.invalid",
                       "%d threads were asked for: expected a whole number from 1 to %d", threads, MAX_THREADS);
    runtime->session = need(sizeof *runtime->session);
    runtime->session->library = library;
    silence();
    bool started = start(runtime, flatbuffer, once, early, counts, &status);
    unsilence();
    if (started)
        return true;
    runtime_close(runtime);
    if (counts[0] != 1 || counts[1] != 1)
        return fail_as(failure, "model.tensors",
                       "the network has %zu inputs and %zu outputs: expected one of each", counts[0], counts[1]);
    if (status == OUTPUT_DIFFERS)
        return fail_as(failure, "model.output", OTHER_SHAPE);
    return fail_as(failure, "runtime.refused",
                   "ai-edge-litert %s can't load the network (status %d): upgrade the runtime, or convert the "
                   "network again with operators that it has", library->version, status);
}

bool runtime_run(struct runtime *runtime, const void *input, void *output, struct failure *failure)
{
    struct session *session = runtime->session;
    const struct library *library = session->library;
    void *memory = NULL;
    int status = library->LockTensorBuffer(session->input, &memory, WRITE);
    if (!status) {
        memcpy(memory, input, runtime->input.bytes);
        status = library->UnlockTensorBuffer(session->input);
    }
    if (!status) {
        silence();
        status = library->RunCompiledModel(session->compiled, 0, 1, &session->input, 1, &session->output);
        unsilence();
    }
    if (!status && !has_its_shape(session, &runtime->output, false))
        return fail_as(failure, "model.output", OTHER_SHAPE);
    if (!status)
        status = library->LockTensorBuffer(session->output, &memory, READ);
    if (!status) {
        memcpy(output, memory, runtime->output.bytes);
        status = library->UnlockTensorBuffer(session->output);
    }
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
    if (session->input)
        library->DestroyTensorBuffer(session->input);
    if (session->output)
        library->DestroyTensorBuffer(session->output);
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
