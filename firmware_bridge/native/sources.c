/* What the words on the command line mean: edge/sources.py. */
#include "sources.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "text.h"

static const char *const SUFFIXES[] = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", NULL};

static void add(struct names *names, const char *name)
{
    names->at = need_more(names->at, (names->count + 1) * sizeof *names->at);
    names->at[names->count++] = need_copy(name);
}

static int by_bytes(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static void sort_from(struct names *names, size_t first)
{
    if (names->count > first)
        qsort(names->at + first, names->count - first, sizeof *names->at, by_bytes);
}

static bool has_suffix(const char *name)
{
    for (const char *const *suffix = SUFFIXES; *suffix; suffix++) {
        size_t length = strlen(name), end = strlen(*suffix);
        if (length >= end && strcasecmp(name + length - end, *suffix) == 0)
            return true;
    }
    return false;
}

static char *joined(const char *folder, const char *name)
{
    struct text path = {0};
    size_t length = strlen(folder);
    text_print(&path, "%s%s%s", folder, length && folder[length - 1] != '/' ? "/" : "", name);
    return path.at;
}

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static bool add_folder(struct names *names, const char *folder, struct failure *failure)
{
    size_t first = names->count;
    DIR *directory = opendir(folder);
    if (!directory)
        return fail(failure, "%s can't be read (%s): check the path and its permissions", folder, strerror(errno));
    for (struct dirent *item; (item = readdir(directory));) {
        char *path = joined(folder, item->d_name);
        if (item->d_name[0] != '.' && has_suffix(item->d_name) && (is_file(path) || access(path, F_OK) != 0))
            add(names, path);
        free(path);
    }
    closedir(directory);
    sort_from(names, first);
    if (names->count > first)
        return true;
    struct text expected = {0};
    for (const char *const *suffix = SUFFIXES; *suffix; suffix++)
        text_print(&expected, "%s%s", suffix == SUFFIXES ? "" : ", ", *suffix);
    fail(failure, "%s has no pictures in it: expected files that end in %s", folder, expected.at);
    text_free(&expected);
    return false;
}

/* Add the files that match `pattern` under `folder` (ends in a slash, or is empty); ** is any folders, or none. */
static void add_matches(struct names *names, const char *folder, const char *pattern)
{
    size_t length = strcspn(pattern, "/");
    char *part = strndup(pattern, length);
    const char *after = pattern + length + strspn(pattern + length, "/");
    bool is_last = pattern[length] == 0, is_deep = part && strcmp(part, "**") == 0;
    if (part && !strpbrk(part, "*?[")) {
        struct text path = {0};
        text_print(&path, "%s%s", folder, part);
        if (is_last && is_file(path.at))
            add(names, path.at);
        text_word(&path, "/");
        if (!is_last)
            add_matches(names, path.at, after);
        text_free(&path);
        free(part);
        return;
    }
    if (is_deep && !is_last)
        add_matches(names, folder, after);
    DIR *directory = opendir(*folder ? folder : ".");
    for (struct dirent *item; directory && part && (item = readdir(directory));) {
        if (item->d_name[0] == '.' && (is_deep || part[0] != '.'))
            continue;
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        if (!is_deep && fnmatch(part, item->d_name, FNM_NOESCAPE) != 0)
            continue;
        struct text path = {0};
        struct stat status;
        text_print(&path, "%s%s", folder, item->d_name);
        if (stat(path.at, &status) == 0) {
            bool is_folder = S_ISDIR(status.st_mode);
            if (is_last && S_ISREG(status.st_mode))
                add(names, path.at);
            text_word(&path, "/");
            if (is_folder && (is_deep || !is_last))
                add_matches(names, path.at, is_deep ? pattern : after);
        }
        text_free(&path);
    }
    if (directory)
        closedir(directory);
    free(part);
}

bool names_expand(struct names *names, const char *word, struct failure *failure)
{
    struct stat status;
    bool exists = stat(word, &status) == 0;
    size_t first = names->count;
    if (strcmp(word, "-") == 0) {
        add(names, word);
    } else if (exists && S_ISDIR(status.st_mode)) {
        return add_folder(names, word, failure);
    } else if (!exists && strpbrk(word, "*?[")) {
        size_t slashes = strspn(word, "/");
        add_matches(names, slashes ? "/" : "", word + slashes);
        sort_from(names, first);
        if (names->count == first)
            return fail(failure, "%s matches no file: check the pattern", word);
    } else {
        add(names, word);
    }
    return true;
}

static bool is_taken(const struct names *names, size_t count, const char *name)
{
    for (size_t index = 0; index < count; index++)
        if (strcasecmp(names->results[index], name) == 0) /* some file systems hold them to be the same */
            return true;
    return false;
}

void names_results(struct names *names)
{
    names->results = need(names->count * sizeof *names->results);
    for (size_t index = 0; index < names->count; index++) {
        const char *slash = strrchr(names->at[index], '/'), *base = slash ? slash + 1 : names->at[index];
        bool is_stdin = strcmp(names->at[index], "-") == 0;
        const char *begin = base + strspn(base, "."), *dot = strrchr(begin, '.');
        int length = (int)(dot ? (size_t)(dot - base) : strlen(base));
        struct text name = {0};
        for (int number = 1; number == 1 || is_taken(names, index, name.at); number++) {
            name.length = 0;
            text_print(&name, "%.*s", is_stdin ? 5 : length, is_stdin ? "stdin" : base);
            if (number > 1)
                text_print(&name, "-%d", number);
        }
        names->results[index] = name.at;
    }
}

void names_free(struct names *names)
{
    for (size_t index = 0; index < names->count; index++) {
        free(names->at[index]);
        if (names->results)
            free(names->results[index]);
    }
    free(names->at);
    free(names->results);
}
