#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

static bool is_open[3];

bool terminal_prepare(void)
{
    for (int stream = 0; stream < 3; stream++) {
        is_open[stream] = fcntl(stream, F_GETFD) != -1;
        if (!is_open[stream] && open("/dev/null", O_RDWR) < 0)
            return false;
    }
    return true;
}

bool terminal_has_input(void)
{
    return is_open[0];
}

void say(const char *lines)
{
    size_t length = strlen(lines);
    while (is_open[2] && length) {
        ssize_t count = write(2, lines, length);
        if (count < 0 && errno != EINTR)
            return;
        if (count > 0) {
            lines += count;
            length -= (size_t)count;
        }
    }
}

void complain(const struct failure *failure)
{
    struct text line = {0};
    text_word(&line, "edge-infer: ");
    text_one_line(&line, failure->text);
    text_word(&line, "\n");
    say(line.at);
    text_free(&line);
}

void forget(struct failure *failure)
{
    free(failure->text);
    *failure = (struct failure){0};
}

int refused(struct failure *failure, bool as_json)
{
    struct text record = {0};
    complain(failure);
    if (as_json) {
        record_error(NULL, failure, &record);
        put(&record);
    }
    text_free(&record);
    forget(failure);
    return INVALID;
}

void put(struct text *text)
{
    for (size_t at = 0; is_open[1] && at < text->length;) {
        ssize_t count = write(1, text->at + at, text->length - at);
        if (count >= 0) {
            at += (size_t)count;
        } else if (errno == EPIPE) {
            exit(CLOSED);
        } else if (errno != EINTR) {
            struct failure failure = {0};
            fail_as(&failure, "output.unwritable", "standard output can't be written (%s): make room where it goes",
                    strerror(errno));
            exit(refused(&failure, false));
        }
    }
    text->length = 0;
}

bool wants_colour(void)
{
    const char *off = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return is_open[1] && isatty(1) && !(off && *off) && !(terminal && strcmp(terminal, "dumb") == 0);
}
