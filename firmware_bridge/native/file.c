#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

/* Bytes: of an image file at most (64,000,000 pixels of 4 times 16 bits, not compressed, take half of that), to tell what
   it is, and at first. */
enum { LIMIT = 1 << 30, HEAD = 12, PIECE = 1 << 16 };

static char *volatile half_written[MAX_PARTS];

const char *image_format(const struct bytes *head)
{
    static const struct {
        const char *magic, *name;
        size_t count;
    } known[] = {{"\x89PNG\r\n\x1a\n", "PNG", 8}, {"\xff\xd8\xff", "JPEG", 3}, {"GIF8", "GIF", 4}, {"BM", "BMP", 2},
                 {"II*\0", "TIFF", 4}, {"MM\0*", "TIFF", 4}};
    for (size_t index = 0; index < sizeof known / sizeof known[0]; index++)
        if (head->count >= known[index].count && memcmp(head->at, known[index].magic, known[index].count) == 0)
            return known[index].name;
    if (head->count >= HEAD && memcmp(head->at, "RIFF", 4) == 0 && memcmp(head->at + 8, "WEBP", 4) == 0)
        return "WEBP";
    return NULL;
}

static size_t image_limit(void)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    return memory < LIMIT ? (size_t)memory : LIMIT;
}

/* Read until there are `wanted` bytes or the file ends. Return 0, or errno. */
static int read_until(int descriptor, struct bytes *bytes, size_t wanted)
{
    while (bytes->count < wanted) {
        ssize_t count = read(descriptor, bytes->at + bytes->count, wanted - bytes->count);
        if (count == 0)
            return 0;
        if (count > 0)
            bytes->count += (size_t)count;
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

/* Return 0, or errno: ENOMEM where it does not fit into memory, EFBIG where it has more bytes than the limit. */
static int read_all(int descriptor, struct bytes *bytes)
{
    struct stat status;
    size_t room = PIECE, limit = image_limit();
    *bytes = (struct bytes){malloc(room), 0};
    int error = bytes->at ? read_until(descriptor, bytes, HEAD) : ENOMEM;
    if (!error && !image_format(bytes))
        return 0;
    if (!error && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        if ((uint64_t)status.st_size > limit)
            error = EFBIG;
        else
            room = (size_t)status.st_size + 1; /* one more, to meet the end without growing */
    }
    while (!error) {
        unsigned char *more = realloc(bytes->at, room);
        if (more == NULL) {
            error = ENOMEM;
            break;
        }
        bytes->at = more;
        error = read_until(descriptor, bytes, room);
        if (!error && bytes->count < room)
            return 0;
        if (!error && room > limit)
            error = EFBIG;
        room = room > limit / 2 ? limit + 1 : room * 2;
    }
    free(bytes->at);
    *bytes = (struct bytes){0};
    return error;
}

static bool unreadable(const char *name, int error, struct failure *failure)
{
    if (error == ENOENT)
        return fail_as(failure, "image.missing", "%s does not exist: expected a file; check the path", name);
    if (error == EISDIR)
        return fail_as(failure, "image.folder", "%s is a folder: expected a file", name);
    if (error == ENOMEM)
        return fail_as(failure, "image.memory", "%s does not fit into memory: expected an image; check the path", name);
    if (error == EFBIG)
        return fail_as(failure, "image.too-large",
                       "%s has more than %zu bytes, the limit for an image file on this machine: make it smaller", name,
                       image_limit());
    return fail_as(failure, "image.unreadable", "%s can't be read (%s): %s", name, strerror(error),
                   error == EMFILE || error == ENFILE ? "close files, or allow more (`ulimit -n`)"
                                                      : "check the file and its permissions");
}

bool read_image(const char *path, struct bytes *bytes, struct failure *failure)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    int error = descriptor < 0 ? errno : read_all(descriptor, bytes);
    if (descriptor >= 0)
        close(descriptor);
    return !error || unreadable(path, error, failure);
}

bool read_standard_input(struct bytes *bytes, struct failure *failure)
{
    int error = read_all(0, bytes);
    if (error && error != ENOMEM && error != EFBIG)
        return fail_as(failure, "image.unreadable", "standard input can't be read (%s): expected an image there",
                       strerror(error));
    return !error || unreadable("the image on standard input", error, failure);
}

/* Return 0, or errno. */
static int write_beside(const char *path, const struct part *part)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int error = descriptor < 0 ? errno : 0;
    const char *at = part->bytes;
    size_t count = part->count;
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

bool write_parts(const char *folder, const char *name, const struct part *parts, int count, struct failure *failure)
{
    char *paths[MAX_PARTS] = {0}, *beside[MAX_PARTS] = {0};
    const char *slash = *folder && folder[strlen(folder) - 1] == '/' ? "" : "/";
    int error = 0, last = 0;
    for (int index = 0; index < count; index++) {
        beside[index] = need_print("%s/.%s%s.%ld", folder, name, parts[index].ending, (long)getpid());
        paths[index] = need_print("%s%s%s%s", folder, slash, name, parts[index].ending);
        half_written[index] = beside[index];
    }
    for (int index = 0; !error && index < count; index++) {
        struct stat status;
        last = index;
        if (stat(paths[index], &status) == 0 && S_ISDIR(status.st_mode))
            error = EISDIR;
        else
            error = write_beside(beside[index], &parts[index]);
    }
    for (int index = 0; !error && index < count; index++) {
        last = index;
        if (rename(beside[index], paths[index]) != 0)
            error = errno;
    }
    if (error) {
        drop_half_written();
        fail(failure, "%s can't be written (%s): make room there, or give --output another folder",
             paths[last], strerror(error));
    }
    for (int index = 0; index < count; index++) {
        half_written[index] = NULL;
        free(beside[index]);
        free(paths[index]);
    }
    return !error;
}

void drop_half_written(void)
{
    for (int index = 0; index < MAX_PARTS; index++)
        if (half_written[index])
            unlink(half_written[index]);
}

bool make_folders(const char *path, struct failure *failure)
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
    return error ? fail(failure, "%s can't be made a folder (%s): give --output another one", path, strerror(error))
                 : true;
}
