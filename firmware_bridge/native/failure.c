#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"

bool fail(struct failure *failure, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        text = need_copy("the memory is full: use smaller pictures or a smaller model");
    va_end(arguments);
    free(failure->text); /* after printing: the new text may quote the old one */
    failure->text = text;
    return false;
}
