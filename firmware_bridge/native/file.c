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

static char *volatile half_written[MAX_PARTS];

int read_all(int descriptor, struct bytes *bytes)
{
    struct stat status;
    size_t room = 65536;
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        room = (size_t)status.st_size + 1; /* one more, to meet the end without growing */
    *bytes = (struct bytes){malloc(room), 0};
    int error = bytes->at ? 0 : ENOMEM;
    while (!error) {
        if (bytes->count == room) {
            unsigned char *more = room > SIZE_MAX / 2 ? NULL : realloc(bytes->at, room * 2);
            if (more == NULL) {
                error = ENOMEM;
                break;
            }
            bytes->at = more;
            room *= 2;
        }
        ssize_t count = read(descriptor, bytes->at + bytes->count, room - bytes->count);
        if (count == 0)
            return 0;
        if (count > 0)
            bytes->count += (size_t)count;
        else if (errno != EINTR)
            error = errno;
    }
    free(bytes->at);
    *bytes = (struct bytes){0};
    return error;
}

bool read_picture(const char *path, struct bytes *bytes, struct failure *failure)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    int error = descriptor < 0 ? errno : read_all(descriptor, bytes);
    if (descriptor >= 0)
        close(descriptor);
    if (!error)
        return true;
    if (error == ENOENT)
        return fail(failure, "%s does not exist: expected a file; check the path", path);
    if (error == EISDIR)
        return fail(failure, "%s is a folder: expected a file", path);
    if (error == ENOMEM)
        return fail(failure, "%s does not fit into memory: expected a picture; check the path", path);
    return fail(failure, "%s can't be read (%s): check the file and its permissions", path, strerror(error));
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
