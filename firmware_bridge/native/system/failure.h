#ifndef EDGE_FAILURE_H
#define EDGE_FAILURE_H

#include <stdbool.h>

/* Invalid input or configuration: the text says what was found, what was expected and what to do; the code is for
   programs, "area.what" (docs/answers.md lists them). */
struct failure {
    char *text;       /* NULL: nothing failed */
    const char *code; /* "invalid" where none was given */
};

/* Set text and code, in place of earlier ones; return false, so that `return fail(...)` ends a function. */
bool fail_as(struct failure *failure, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define fail(failure, ...) fail_as(failure, "invalid", __VA_ARGS__)

enum { MAX_WARNINGS = 8 };

/* What makes an answer doubtful though it was given. */
struct warnings {
    struct {
        const char *code;
        char *message;
    } at[MAX_WARNINGS];
    int count;
};

/* Add a warning; more than MAX_WARNINGS are dropped. */
void warn(struct warnings *warnings, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void warnings_free(struct warnings *warnings);

#endif
