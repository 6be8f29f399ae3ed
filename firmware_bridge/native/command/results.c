/* The folder of --output over several runs: edge/results.py. */
#include "results.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

enum { HEAD = 1 << 18 }; /* bytes of a record that are looked at: more than the longest paths and names take */

/* A file to write; the JSON is the last one, as it says which other ones are ours. */
struct part {
    const char *ending;
    const struct text *content;
};

enum { MAX_PARTS = MAX_DRAWN + 1 };

#define JSON ".json"

static char *volatile half_written[MAX_PARTS];

void drop_half_written(void)
{
    for (int part = 0; part < MAX_PARTS; part++)
        if (half_written[part])
            unlink(half_written[part]);
}

static bool make_folders(const char *path, struct failure *failure)
{
    char *part = need_copy(path);
    struct stat status;
    int error = 0;
    for (char *at = part + (*part == '/'); !error; at++) {
        char letter = *at;
        if (letter != '/' && letter)
            continue;
        *at = 0;
        bool is_there = stat(part, &status) == 0 && (letter || S_ISDIR(status.st_mode));
        if (!is_there && mkdir(part, 0777) != 0 && errno != EEXIST)
            error = errno;
        else if (!is_there && !letter && stat(part, &status) == 0 && !S_ISDIR(status.st_mode))
            error = EEXIST;
        *at = letter;
        if (!letter)
            break;
    }
    free(part);
    return !error || fail_as(failure, "output.unwritable", "%s can't be made a folder (%s): give --output another one", path,
                             strerror(error));
}

bool results_open(struct results *results, const char *folder, struct failure *failure)
{
    *results = (struct results){.folder = folder};
    return make_folders(folder, failure);
}

void results_close(struct results *results)
{
    while (results->count) {
        free(results->taken[--results->count].name);
        free(results->taken[results->count].path);
    }
    free(results->taken);
    *results = (struct results){0};
}

/* `ending` may be "". */
static char *path_of(const struct results *results, const char *name, const char *ending)
{
    size_t length = strlen(results->folder);
    return need_print("%s%s%s%s", results->folder, length && results->folder[length - 1] == '/' ? "" : "/", name, ending);
}

char *result_name(const struct job *job)
{
    if (strcmp(job->image, "-") == 0)
        return need_copy("stdin");
    const char *at = job->image + (job->root < 0 ? 0 : job->root), *last = "";
    size_t length = 0;
    bool leads_out = job->root < 0;
    struct text name = {0};
    text_word(&name, "");
    while (*at) { /* the last part waits until another one follows */
        size_t count = strcspn(at, "/");
        if (count && !(count == 1 && *at == '.')) {
            if (length)
                text_print(&name, "%.*s/", (int)length, last);
            last = at;
            length = count;
            leads_out = leads_out || (count == 2 && at[0] == '.' && at[1] == '.');
        }
        at += count + (at[count] == '/');
    }
    if (leads_out)
        name.at[name.length = 0] = 0;
    size_t dots = 0, stem = length;
    while (dots < length && last[dots] == '.')
        dots++;
    for (size_t index = length; index > dots && stem == length; index--)
        if (last[index - 1] == '.')
            stem = index - 1;
    if (!length || (length == 2 && dots == 2))
        text_word(&name, "image");
    else
        text_print(&name, "%.*s", (int)stem, last);
    return name.at;
}

/* The image's absolute path, links in its folder followed; NULL for standard input. */
static char *identity(const char *image)
{
    char real[PATH_MAX];
    if (strcmp(image, "-") == 0)
        return NULL;
    char *path = need_copy(image);
    size_t length = strlen(path);
    while (length && path[length - 1] == '/')
        path[--length] = 0;
    char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *folder = slash ? need_print("%.*s", slash == path ? 1 : (int)(slash - path), path) : need_copy(".");
    char *found = realpath(folder, real) ? need_print("%s%s%s", real, strcmp(real, "/") ? "/" : "", name) : NULL;
    if (!found)
        found = *image == '/' || !getcwd(real, sizeof real) ? need_copy(image) : need_print("%s/%s", real, image);
    free(folder);
    free(path);
    return found;
}

/* Return what follows a JSON string, NULL where there is none. */
static const char *behind_text(const char *at)
{
    if (*at != '"')
        return NULL;
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? at + 1 : NULL;
}

static const char *behind_word(const char *at, const char *word)
{
    size_t length = strlen(word);
    return at && strncmp(at, word, length) == 0 ? at + length : NULL;
}

/* The length of a task's ending, ".mask.png": two words of a few letters each, behind dots; 0 where it is none. Nothing
   else that a JSON file in the folder may say is a file of ours. */
static size_t ending_length(const char *at)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t word = *at == '.' ? strspn(at + 1, letters) : 0;
    size_t kind = word && at[1 + word] == '.' ? strspn(at + 2 + word, letters) : 0;
    return kind && !memchr(at + 2 + word, '-', kind) ? 2 + word + kind : 0;
}

/* Take the endings of the files in the list that begins at `at`, of the results `base`. False where it is no list. */
static bool take_owned(struct place *place, const char *base, const char *at)
{
    struct text begin = {0};
    text_json(&begin, base);
    begin.length--; /* without the quote at its end */
    for (const char *next; (next = behind_text(at)); at = *next == ',' ? next + 2 : next) {
        const char *ending = at + begin.length;
        size_t length = (size_t)(next - at) > begin.length && memcmp(at, begin.at, begin.length) == 0
                            ? ending_length(ending) : 0;
        if (!length || ending + length + 1 != next || place->owned_count == MAX_PARTS)
            continue;
        place->owned = need_more(place->owned, (place->owned_count + 1) * sizeof *place->owned);
        place->owned[place->owned_count++] = need_print("%.*s", (int)length, ending);
    }
    text_free(&begin);
    return *at == ']';
}

static void forget_owned(struct place *place)
{
    while (place->owned_count)
        free(place->owned[--place->owned_count]);
    free(place->owned);
    place->owned = NULL;
    place->is_own = false;
}

static bool owns(const struct place *place, const char *ending)
{
    bool found = false;
    for (size_t index = 0; index < place->owned_count; index++)
        found = found || strcmp(place->owned[index], ending) == 0;
    return found;
}

enum owner { NOBODY, STRANGER, SAME };

/* Whose results lie under a name; where they are this image's, the place gets the endings of its files. `path`: of the
   image, as JSON. */
static enum owner owner_of(const struct results *results, const char *name, const char *path, struct place *place)
{
    char *file = path_of(results, name, JSON);
    struct stat status, link;
    if (stat(file, &status) != 0) {
        enum owner owner = lstat(file, &link) == 0 ? STRANGER : NOBODY;
        free(file);
        return owner;
    }
    int descriptor = S_ISREG(status.st_mode) ? open(file, O_RDONLY | O_CLOEXEC) : -1; /* a pipe would be waited for */
    char *head = need(HEAD + 1);
    ssize_t count = descriptor < 0 ? 0 : read(descriptor, head, HEAD);
    head[count > 0 ? count : 0] = 0;
    if (descriptor >= 0)
        close(descriptor);
    const char *at = behind_word(head, "{\"image\": ");
    at = behind_word(at ? behind_text(at) : NULL, ", \"path\": ");
    const char *begin = at;
    const char *end = !at ? NULL : *at == '"' ? behind_text(at) : behind_word(at, "null");
    at = behind_word(end, ", \"files\": [");
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    bool same = at && (size_t)(end - begin) == strlen(path) && memcmp(begin, path, strlen(path)) == 0 &&
                strcmp(path, "null") != 0;
    place->is_own = same && take_owned(place, base, at);
    if (!place->is_own)
        forget_owned(place);
    free(head);
    free(file);
    return place->is_own ? SAME : STRANGER;
}

/* Whether another image of this run has the name; `path`: of the image, as JSON. An image may be asked for twice. */
static bool is_taken(const struct results *results, const char *name, const char *path)
{
    for (size_t index = 0; index < results->count; index++)
        if (strcasecmp(results->taken[index].name, name) == 0) /* some file systems hold them to be the same */
            return strcmp(results->taken[index].path, path) != 0 || strcmp(path, "null") == 0;
    return false;
}

struct place results_place(struct results *results, const struct job *job)
{
    struct place place = {.path = identity(job->image)};
    char *stem = result_name(job);
    struct text path = {0};
    if (place.path)
        text_json(&path, place.path);
    else
        text_word(&path, "null");
    for (long number = 1;; number++) {
        char *name = number == 1 ? need_copy(stem) : need_print("%s-%ld", stem, number);
        enum owner owner = is_taken(results, name, path.at) ? STRANGER : owner_of(results, name, path.at, &place);
        if (owner == SAME) {
            free(place.name);
            place.name = name;
            break;
        }
        if (owner == NOBODY && !place.name)
            place.name = name;
        else
            free(name);
        if (owner == NOBODY && number > 1)
            break;
    }
    free(stem);
    results->taken = need_more(results->taken, (results->count + 1) * sizeof *results->taken);
    results->taken[results->count++] = (struct taken){need_copy(place.name), need_copy(path.at)};
    text_free(&path);
    return place;
}

void place_free(struct place *place)
{
    forget_owned(place);
    free(place->name);
    free(place->path);
    *place = (struct place){0};
}

/* The record with the keys by which the next run knows whose it is, behind the image. */
static void add_owner(const struct place *place, const struct text *record, const struct drawn *drawn, size_t count,
                      struct text *text)
{
    const char *base = strrchr(place->name, '/') ? strrchr(place->name, '/') + 1 : place->name;
    const char *rest = behind_text(record->at + strlen("{\"image\": "));
    text_add(text, record->at, (size_t)(rest - record->at));
    text_word(text, ", \"path\": ");
    if (place->path)
        text_json(text, place->path);
    else
        text_word(text, "null");
    text_word(text, ", \"files\": [");
    for (size_t index = 0; index < count; index++) {
        char *file = need_print("%s%s", base, drawn[index].ending);
        text_word(text, index ? ", " : "");
        text_json(text, file);
        free(file);
    }
    text_print(text, "]%s", rest);
}

/* Return 0, or errno. */
static int write_beside(const char *path, const struct text *content)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int error = descriptor < 0 ? errno : 0;
    const char *at = content->at;
    size_t count = content->length;
    while (!error && count) {
        ssize_t written = write(descriptor, at, count);
        if (written > 0) {
            at += written;
            count -= (size_t)written;
        } else if (written == 0 || errno != EINTR) {
            error = written ? errno : ENOSPC;
        }
    }
    if (descriptor >= 0 && close(descriptor) != 0 && !error)
        error = errno;
    return error;
}

/* Write the parts beside their places. Return 0 or errno, and which one was the last. */
static int write_parts(const struct part *parts, size_t count, char *const *beside, size_t *last)
{
    int error = 0;
    for (size_t part = 0; !error && part < count; part++) {
        *last = part;
        error = write_beside(beside[part], parts[part].content);
    }
    return error;
}

static void remove_owned(const struct results *results, const struct place *place, const struct part *parts, size_t count)
{
    for (size_t index = 0; index < place->owned_count; index++) {
        bool is_new = false;
        for (size_t part = 0; part < count; part++)
            is_new = is_new || strcmp(parts[part].ending, place->owned[index]) == 0;
        char *path = path_of(results, place->name, place->owned[index]);
        if (!is_new)
            unlink(path);
        free(path);
    }
}

/* Let the parts take their places. Return 0 or errno, and which one was the last. */
static int rename_parts(size_t count, char *const *beside, char *const *paths, size_t *last)
{
    int error = 0;
    for (size_t part = 0; !error && part < count; part++) {
        *last = part;
        error = rename(beside[part], paths[part]) ? errno : 0;
    }
    return error;
}

/* Write beside their places first, then rename. */
static bool put(const struct results *results, const struct place *place, const struct part *parts, size_t count,
                struct failure *failure)
{
    char *paths[MAX_PARTS] = {0}, *beside[MAX_PARTS] = {0}, *folder = path_of(results, place->name, "");
    char *slash = strrchr(folder, '/'), *base = need_copy(slash + 1);
    *slash = 0;
    size_t last = 0;
    sigset_t ending, before;
    bool done = make_folders(*folder ? folder : "/", failure);
    for (size_t part = 0; part < count; part++) {
        paths[part] = path_of(results, place->name, parts[part].ending);
        beside[part] = need_print("%s/.%s%s.%ld", folder, base, parts[part].ending, (long)getpid());
        half_written[part] = beside[part];
    }
    int error = done ? write_parts(parts, count, beside, &last) : 0;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    sigprocmask(SIG_BLOCK, &ending, &before);
    if (done && !error) {
        remove_owned(results, place, parts, count);
        error = rename_parts(count, beside, paths, &last);
    }
    drop_half_written();
    for (size_t part = 0; part < count; part++)
        half_written[part] = NULL;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (error)
        done = fail_as(failure, "output.unwritable", "%s can't be written (%s): make room there, or give --output another "
                                                     "folder", paths[last], strerror(error));
    for (size_t part = 0; part < count; part++) {
        free(paths[part]);
        free(beside[part]);
    }
    free(base);
    free(folder);
    return done;
}

bool results_write(struct results *results, const struct place *place, const struct text *record,
                   const struct drawn *drawn, size_t drawn_count, struct failure *failure)
{
    struct text whole = {0};
    struct part parts[MAX_PARTS];
    struct stat status;
    bool done = true;
    for (size_t part = 0; done && part < drawn_count; part++) {
        parts[part] = (struct part){drawn[part].ending, &drawn[part].content};
        char *path = path_of(results, place->name, drawn[part].ending);
        if (!owns(place, drawn[part].ending) && lstat(path, &status) == 0)
            done = fail_as(failure, "output.foreign", "%s was not made by edge-infer and would be replaced: give --output "
                                                      "another folder", path);
        free(path);
    }
    add_owner(place, record, drawn, drawn_count, &whole);
    parts[drawn_count] = (struct part){JSON, &whole};
    done = done && put(results, place, parts, drawn_count + 1, failure);
    if (!done && place->is_own) {
        char *path = path_of(results, place->name, JSON);
        remove_owned(results, place, NULL, 0);
        unlink(path);
        free(path);
    }
    text_free(&whole);
    return done;
}
