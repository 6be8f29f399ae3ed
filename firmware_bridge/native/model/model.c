#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "activation.h"
#include "constants.h"
#include "memory.h"
#include "network.h"
#include "sha256.h"
#include "text.h"

#define REBUILD "build the model file again with edge-compress"
#define AGAIN "copy it again from where it was made"

enum { TRAILER = 71 };

/* Return 0, or errno. Mapped and not read: the kernel can take its pages back, and so does `model_rest`. */
static int map_file(int descriptor, struct bytes *data)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return errno;
    if (status.st_size == 0)
        return 0;
    void *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, descriptor, 0);
    if (at == MAP_FAILED)
        return errno;
    *data = (struct bytes){at, (size_t)status.st_size};
    return 0;
}

static bool read_bytes(const char *path, struct bytes *data, struct failure *failure)
{
    struct stat status;
    int descriptor = -1, error = stat(path, &status) ? errno : 0;
    if (!error && S_ISDIR(status.st_mode))
        return fail_as(failure, "model.format", "%s is a folder: expected a .tflite model file", path);
    if (!error && (!S_ISREG(status.st_mode) || status.st_size > MAX_FILE_BYTES))
        return fail_as(failure, "model.format",
                       "%s is not a file of at most %d bytes: expected a .tflite model file", path, MAX_FILE_BYTES);
    if (!error) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC);
        error = descriptor < 0 ? errno : map_file(descriptor, data);
    }
    if (descriptor >= 0)
        close(descriptor);
    if (error == ENOENT)
        return fail_as(failure, "model.missing",
                       "%s does not exist: expected a .tflite model file; check the path or --list", path);
    if (error)
        return fail_as(failure, "model.unreadable",
                       "%s can't be read (%s): check the file and its permissions", path, strerror(error));
    if (data->count == 0)
        return fail_as(failure, "model.format", "%s is empty: expected a .tflite model file; " AGAIN, path);
    if (data->count < 8 || memcmp(data->at + 4, "TFL3", 4) != 0)
        return fail_as(failure, "model.format",
                       "%s is not a TFLite file: expected \"TFL3\" at byte 4; give a .tflite file that edge-compress made",
                       path);
    return true;
}

static bool has_trailer(const struct bytes *data)
{
    if (data->count < TRAILER || memcmp(data->at + data->count - TRAILER, "sha256:", 7) != 0)
        return false;
    for (size_t index = data->count - TRAILER + 7; index < data->count; index++)
        if (!((data->at[index] >= '0' && data->at[index] <= '9') || (data->at[index] >= 'a' && data->at[index] <= 'f')))
            return false;
    return true;
}

static const struct member *find_member(const struct archive *archive, const char *name)
{
    for (size_t index = 0; index < archive->count; index++)
        if (strcmp(archive->members[index].name, name) == 0)
            return &archive->members[index];
    return NULL;
}

static bool check_members(const struct model *model, struct failure *failure)
{
    const struct archive *archive = &model->archive;
    if (archive->count > MAX_MEMBERS)
        return fail_as(failure, "model.damaged",
                       "%s has %zu members in its zip: expected at most %d; " REBUILD, model->path, archive->count,
                       MAX_MEMBERS);
    for (size_t index = 0; index < archive->count; index++)
        if (find_member(archive, archive->members[index].name) != &archive->members[index])
            return fail_as(failure, "model.damaged",
                           "%s has two members of one name in its zip: " REBUILD, model->path);
    for (size_t index = 0; index < archive->count && !failure->text; index++) {
        const struct member *member = &archive->members[index];
        bool is_text = strcmp(member->name, "manifest.json") == 0 || strcmp(member->name, "labels.txt") == 0;
        bool is_compiled = strcmp(member->name, "edgetpu.tflite") == 0;
        uint32_t limit = is_text ? MAX_TEXT_BYTES : is_compiled ? MAX_COMPILED_BYTES : MAX_GOLDEN_BYTES;
        if (member->size > limit)
            fail_as(failure, "model.damaged",
                    "%s has a member '%s' that unpacks to %u bytes: expected at most %u; do not use the file unless "
                    "you trust it, and " REBUILD, model->path, member->name, member->size, limit);
        else if (member->size > (uint64_t)MAX_RATIO * (member->packed ? member->packed : 1))
            fail_as(failure, "model.damaged",
                    "%s has a member '%s' that is compressed more than %d to 1: expected no more; do not use the file "
                    "unless you trust it, and " REBUILD, model->path, member->name, MAX_RATIO);
    }
    return failure->text == NULL;
}

bool model_member(const struct model *model, const char *name, struct bytes *content, struct failure *failure)
{
    const struct member *member = find_member(&model->archive, name);
    const char *damage = member ? archive_read(&model->archive, member, content) : NULL;
    if (member && !damage)
        return true;
    if (!member)
        return fail_as(failure, "model.damaged", "%s lacks the member '%s' in its zip: " REBUILD, model->path, name);
    return fail_as(failure, "model.damaged",
                   "%s has a member '%s' that can't be unpacked (%s): " REBUILD, model->path, name, damage);
}

/* The first output's labels are in labels.txt as well, for other programs; without labels there is no such member. */
static bool check_labels(const struct model *model, struct failure *failure)
{
    const struct labels *labels = &model->manifest.outputs[0].labels;
    struct bytes content;
    if (!labels->count && !find_member(&model->archive, "labels.txt"))
        return true;
    if (!model_member(model, "labels.txt", &content, failure))
        return false;
    struct text expected = {0};
    text_word(&expected, "");
    for (size_t index = 0; index < labels->count; index++)
        text_print(&expected, "%s\n", labels->at[index]);
    bool same = expected.length == content.count && memcmp(expected.at, content.at, content.count) == 0;
    text_free(&expected);
    free(content.at);
    return same || fail_as(failure, "model.damaged",
                           "%s has other labels in labels.txt than in its manifest: " REBUILD, model->path);
}

static bool has_member(const struct model *model, const char *name, struct failure *failure)
{
    struct bytes content;
    bool is_there = model_member(model, name, &content, failure);
    if (is_there)
        free(content.at);
    return is_there;
}

static bool check_golden(const struct model *model, struct failure *failure)
{
    const struct manifest *manifest = &model->manifest;
    bool fine = true;
    for (size_t index = 0; index < manifest->golden_count; index++) {
        const struct golden *golden = &manifest->golden[index];
        for (size_t input = 0; fine && input < manifest->input_count; input++)
            fine = has_member(model, golden->inputs[input].image, failure);
        for (size_t path = 0; path < golden->path_count; path++)
            for (size_t output = 0; fine && output < manifest->output_count; output++)
                fine = has_member(model, golden->paths[path].members[output], failure);
    }
    return fine;
}

static bool check_digest(const struct model *model, const char *damage, char flatbuffer_hex[65], struct failure *failure)
{
    const struct bytes *data = &model->data;
    size_t begin = damage ? 0 : model->archive.start;
    struct sha256 digest;
    char hex[65];
    sha256_begin(&digest);
    sha256_add(&digest, data->at, begin);
    sha256_hex(&digest, flatbuffer_hex);
    sha256_add(&digest, data->at + begin, data->count - TRAILER - begin);
    sha256_hex(&digest, hex);
    if (memcmp(hex, data->at + data->count - 64, 64) != 0)
        return fail_as(failure, "model.damaged",
                       "%s was cut short or changed (its bytes do not match its digest): " AGAIN, model->path);
    if (damage) /* only where the digest is right: a changed byte explains it better */
        return fail_as(failure, "model.damaged",
                       "%s has a damaged zip behind the flatbuffer (%s): " REBUILD, model->path, damage);
    return true;
}

static bool check_trailer(const struct model *model, struct failure *failure)
{
    if (has_trailer(&model->data))
        return true;
    if (memmem(model->data.at, model->data.count, "manifest.json", 13))
        return fail_as(failure, "model.damaged",
                       "%s was cut short or changed (its digest is missing at the end): " AGAIN, model->path);
    return fail_as(failure, "model.no-manifest",
                   "%s is a TFLite file without a manifest, or was cut short before it: add one, beginning with "
                   "`edge-compress pack FILE --init`, or " AGAIN, model->path);
}

bool model_read(struct model *model, const char *path, struct failure *failure)
{
    *model = (struct model){.path = need_copy(path)};
    return read_bytes(path, &model->data, failure) && model_check(model, failure);
}

bool model_check(struct model *model, struct failure *failure)
{
    const char *path = model->path;
    char flatbuffer_hex[65];
    struct bytes text;
    if (!check_trailer(model, failure))
        return false;
    const char *damage = archive_open(&model->archive, model->data.at, model->data.count, TRAILER);
    if (!check_digest(model, damage, flatbuffer_hex, failure) || !check_members(model, failure) ||
        !model_member(model, "manifest.json", &text, failure))
        return false;
    bool parsed = manifest_parse(&model->manifest, (const char *)text.at, text.count, path, failure);
    free(text.at);
    if (!parsed)
        return false;
    if (model->manifest.model_bytes != model->archive.start || strcmp(model->manifest.model_sha256, flatbuffer_hex) != 0)
        return fail_as(failure, "model.damaged",
                       "%s has another flatbuffer than its manifest says (digests differ): " REBUILD, path);
    return check_labels(model, failure) && check_golden(model, failure);
}

bool model_network(const struct model *model, struct network *network, struct failure *failure)
{
    const struct manifest *manifest = &model->manifest;
    *network = (struct network){0};
    if (!network_check(model->data.at, model->archive.start, model->path, network, failure))
        return false;
    for (size_t index = 0; index < manifest->output_count && index < network->output_count; index++) {
        const char *activation = manifest->outputs[index].activation;
        if (activation && !activation_check(activation, network->origins[index], model->path, failure))
            return false;
    }
    return true;
}

void model_rest(const struct model *model)
{
    madvise(model->data.at, model->data.count, MADV_DONTNEED);
}

void model_close(struct model *model)
{
    manifest_free(&model->manifest);
    archive_close(&model->archive);
    if (model->data.at)
        munmap(model->data.at, model->data.count);
    free(model->path);
    *model = (struct model){0};
}

static char *program_folder(void)
{
    char path[PATH_MAX];
    ssize_t count = readlink("/proc/self/exe", path, sizeof path - 1);
    path[count > 0 ? count : 0] = 0;
    char *slash = strrchr(path, '/');
    *(slash ? slash : path) = 0;
    return need_copy(path);
}

char *installed(const char *variable, const char *place)
{
    const char *chosen = variable ? getenv(variable) : NULL;
    if (chosen && *chosen)
        return need_copy(chosen);
    char *folder = program_folder(), *path;
    if (asprintf(&path, "%s/../%s", folder, place) < 0)
        path = need_copy(place);
    free(folder);
    return path;
}

static char *models_folder(void)
{
    return installed("EDGE_INFER_MODELS", "models");
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

char **model_shipped(void)
{
    char *folder = models_folder(), **found = need(sizeof *found);
    size_t count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *item; directory && (item = readdir(directory));) {
        size_t length = strlen(item->d_name);
        if (length < 7 || strcmp(item->d_name + length - 7, ".tflite") != 0)
            continue;
        found = need_more(found, (count + 2) * sizeof *found);
        if (asprintf(&found[count], "%s/%s", folder, item->d_name) > 0)
            count++;
        found[count] = NULL;
    }
    if (directory)
        closedir(directory);
    free(folder);
    if (count)
        qsort(found, count, sizeof *found, by_name);
    return found;
}

static void list_shipped(struct text *known)
{
    char **shipped = model_shipped();
    for (char **item = shipped; *item; item++) {
        const char *stem = strrchr(*item, '/') + 1;
        text_print(known, "%s%.*s", item == shipped ? "" : ", ", (int)(strlen(stem) - 7), stem);
        free(*item);
    }
    if (!known->length)
        text_word(known, "none came with this installation");
    free(shipped);
}

/* The name in the file `default` beside the models, which edge-deploy writes; "" where there is none. */
static void chosen(char *name, size_t room)
{
    char *folder = models_folder(), *path = NULL;
    FILE *file = asprintf(&path, "%s/default", folder) > 0 ? fopen(path, "re") : NULL;
    if (!file || !fgets(name, (int)room, file))
        *name = 0;
    name[strcspn(name, "\n")] = 0;
    for (char *slash; (slash = strchr(name, '/'));)
        *slash = '_';
    if (file)
        fclose(file);
    free(path);
    free(folder);
}

/* The file of the model in `default`, of pneumonia, or of the only model there is. */
static char *usual(struct failure *failure)
{
    char **shipped = model_shipped(), *found = NULL, name[256], stem[280];
    size_t count = 0;
    chosen(name, sizeof name);
    snprintf(stem, sizeof stem, "/%s.tflite", *name ? name : USUAL_MODEL);
    for (; shipped[count]; count++)
        if (strcmp(strrchr(shipped[count], '/'), stem) == 0)
            found = need_copy(shipped[count]);
    if (!found && count == 1 && !*name)
        found = need_copy(shipped[0]);
    while (count)
        free(shipped[--count]);
    free(shipped);
    if (found)
        return found;
    struct text known = {0};
    list_shipped(&known);
    if (*name)
        fail_as(failure, "model.unknown",
                "the default model of this installation, '%s', is not there: expected an installed one (%s); name one with "
                "--model", name, known.at);
    else
        fail_as(failure, "model.unknown",
                "no model was named, and " USUAL_MODEL " is not installed: expected a shipped one (%s) or the path of a "
                ".tflite file; name it", known.at);
    text_free(&known);
    return NULL;
}

char *model_find(const char *name, struct failure *failure)
{
    if (!name)
        return usual(failure);
    size_t length = strlen(name);
    bool is_path = strchr(name, '/') || (length >= 7 && strcmp(name + length - 7, ".tflite") == 0);
    struct stat status;
    char *folder = models_folder(), *by_name_path = NULL;
    int made = asprintf(&by_name_path, "%s/%s.tflite", folder, name);
    free(folder);
    if (made > 0 && !is_path && stat(by_name_path, &status) == 0 && S_ISREG(status.st_mode))
        return by_name_path;
    free(by_name_path);
    if (is_path || stat(name, &status) == 0)
        return need_copy(name);
    struct text known = {0};
    list_shipped(&known);
    fail_as(failure, "model.unknown",
            "there is no model '%s': expected a shipped one (%s) or the path of a .tflite file", name, known.at);
    text_free(&known);
    return NULL;
}
