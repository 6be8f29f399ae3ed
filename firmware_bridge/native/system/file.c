#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "constants.h"
#include "memory.h"

/* Bytes: of an image file at most (64,000,000 pixels of 4 times 16 bits, not compressed, take half of that), to tell what
   it is, and at first. */
enum { HEAD = 12, PIECE = 1 << 16 };

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
    return memory < MAX_IMAGE_BYTES ? (size_t)memory : MAX_IMAGE_BYTES;
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
