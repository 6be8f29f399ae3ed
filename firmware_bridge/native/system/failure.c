#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"

static char *printed(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        text = need_copy("the memory is full: use smaller images or a smaller model");
    return text;
}

bool fail_as(struct failure *failure, const char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = printed(format, arguments);
    va_end(arguments);
    free(failure->text); /* after printing: the new text may quote the old one */
    failure->text = text;
    failure->code = code;
    return false;
}

void warn(struct warnings *warnings, const char *code, const char *format, ...)
{
    if (warnings->count == MAX_WARNINGS)
        return;
    va_list arguments;
    va_start(arguments, format);
    warnings->at[warnings->count].code = code;
    warnings->at[warnings->count++].message = printed(format, arguments);
    va_end(arguments);
}

void warnings_free(struct warnings *warnings)
{
    for (int index = 0; index < warnings->count; index++)
        free(warnings->at[index].message);
    warnings->count = 0;
}
