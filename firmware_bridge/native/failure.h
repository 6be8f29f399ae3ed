#ifndef EDGE_FAILURE_H
#define EDGE_FAILURE_H

#include <stdbool.h>

/* Something the user can mend: the text says what was found, what was expected and what to do. */
struct failure {
    char *text; /* NULL: nothing failed */
};

/* Set the text, in place of an earlier one; return false, so that `return fail(...)` ends a function. */
bool fail(struct failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
