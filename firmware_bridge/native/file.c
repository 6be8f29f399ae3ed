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
