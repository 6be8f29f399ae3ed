/* What the words on the command line mean: edge/sources.py. */
#include "sources.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

/* Those that Python's program looks for; what it can't read of them is refused image by image. */
static const char *const SUFFIXES[] = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi",
                                       ".mpo", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp", NULL};
#define WILD "*?["

enum { NAMED = 5 }; /* kinds that are named one by one */

/* A file, and where it is left out of which kind it is. */
struct file {
    char *path, *kind;
};

struct listing {
    struct file *at;
    size_t count;
};

struct paths {
    char **at;
    size_t count;
};

static void add_path(struct paths *paths, char *path)
{
    paths->at = need_more(paths->at, (paths->count + 1) * sizeof *paths->at);
    paths->at[paths->count++] = path;
}

static void free_paths(struct paths *paths)
{
    while (paths->count)
        free(paths->at[--paths->count]);
    free(paths->at);
    *paths = (struct paths){0};
}

static void add_file(struct listing *listing, char *path, const char *kind)
{
    listing->at = need_more(listing->at, (listing->count + 1) * sizeof *listing->at);
    listing->at[listing->count++] = (struct file){path, kind ? need_copy(kind) : NULL};
}

static void free_listing(struct listing *listing)
{
    for (size_t index = 0; index < listing->count; index++) {
        free(listing->at[index].path);
        free(listing->at[index].kind);
    }
    free(listing->at);
    *listing = (struct listing){0};
}

static char *joined(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    return need_print("%s%s%s", folder, length && folder[length - 1] != '/' ? "/" : "", name);
}

/* In the order of paths' parts: the end of a part comes before every letter. */
static int by_parts(const char *one, const char *other)
{
    for (; *one && *one == *other; one++)
        other++;
    int a = *one == '/' ? 1 : *one ? (unsigned char)*one + 1 : 0;
    int b = *other == '/' ? 1 : *other ? (unsigned char)*other + 1 : 0;
    return a - b;
}

/* By path; of one path what is no image comes last. */
static int by_path(const void *one, const void *other)
{
    const struct file *a = one, *b = other;
    int order = by_parts(a->path, b->path);
    return order ? order : (a->kind != NULL) - (b->kind != NULL);
}

static int backwards(const void *one, const void *other)
{
    return strcmp(*(char *const *)other, *(char *const *)one);
}

/* Return why a file is left out, NULL for an image; the caller frees it. */
static char *kind_of(const char *path)
{
    struct stat status;
    const char *name = strrchr(path, '/') + 1, *begin = name + strspn(name, "."), *dot = strrchr(begin, '.');
    if (*name == '.')
        return need_copy("hidden");
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) /* a link that leads nowhere is none */
        return need_copy("special");
    for (const char *const *suffix = SUFFIXES; dot && *suffix; suffix++)
        if (strcasecmp(dot, *suffix) == 0)
            return NULL;
    if (!dot || !dot[1])
        return need_copy("without a suffix");
    char *kind = need_copy(dot);
    for (char *letter = kind; *letter; letter++)
        *letter = (char)tolower((unsigned char)*letter);
    return kind;
}

struct walk {
    const char *root, *skip;
    struct paths waiting;
    struct {
        dev_t device;
        ino_t number;
    } *seen;
    size_t seen_count;
};

static bool is_known(struct walk *walk, const char *folder, const struct stat *status)
{
    char real[PATH_MAX];
    for (size_t index = 0; index < walk->seen_count; index++)
        if (walk->seen[index].device == status->st_dev && walk->seen[index].number == status->st_ino)
            return true;
    if (walk->skip && folder != walk->root && realpath(folder, real) && strcmp(real, walk->skip) == 0)
        return true;
    walk->seen = need_more(walk->seen, (walk->seen_count + 1) * sizeof *walk->seen);
    walk->seen[walk->seen_count].device = status->st_dev;
    walk->seen[walk->seen_count++].number = status->st_ino;
    return false;
}

/* Add the files of one folder; its sub-folders wait, the first one on top. */
static int look_into(struct walk *walk, const char *folder, struct listing *listing)
{
    struct paths names = {0};
    DIR *directory = opendir(folder);
    if (!directory)
        return errno;
    for (struct dirent *item; (item = readdir(directory));)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            add_path(&names, need_copy(item->d_name));
    closedir(directory);
    if (names.count)
        qsort(names.at, names.count, sizeof *names.at, backwards);
    for (size_t index = 0; index < names.count; index++) {
        struct stat status;
        char *path = joined(folder, names.at[index]);
        if (names.at[index][0] != '.' && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
            add_path(&walk->waiting, path);
            continue;
        }
        char *kind = kind_of(path);
        add_file(listing, path, kind);
        free(kind);
    }
    free_paths(&names);
    return 0;
}

/* Add every file below. Return 0, or errno where the folder itself can't be read. */
static int list(const char *root, const char *skip, struct listing *listing)
{
    struct walk walk = {.root = root, .skip = skip};
    struct stat status;
    int error = stat(root, &status) == 0 ? 0 : errno;
    if (!error && !is_known(&walk, root, &status))
        error = look_into(&walk, root, listing);
    while (walk.waiting.count) {
        char *folder = walk.waiting.at[--walk.waiting.count];
        bool is_there = stat(folder, &status) == 0;
        if ((is_there && is_known(&walk, folder, &status)) || (is_there && look_into(&walk, folder, listing) == 0))
            free(folder);
        else
            add_file(listing, folder, NULL); /* reading it says why */
    }
    free_paths(&walk.waiting);
    free(walk.seen);
    return error;
}

/* Whether a name matches; its letters are UTF-8 where they can be, and bytes elsewhere. */
static bool matches(const char *part, const char *name)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = (locale_t)0;
    if (utf8)
        before = uselocale(utf8);
    int found = fnmatch(part, name, FNM_NOESCAPE);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    if (found != 0 && found != FNM_NOMATCH)
        found = fnmatch(part, name, FNM_NOESCAPE);
    return found == 0;
}

/* A folder that is being looked into, and the one that it lies in. */
struct above {
    const struct above *next;
    dev_t device;
    ino_t number;
};

struct pattern {
    struct listing files;
    struct paths folders;
};

static bool leads_back(const struct above *above, const struct stat *here)
{
    for (; above; above = above->next)
        if (above->device == here->st_dev && above->number == here->st_ino)
            return true;
    return false;
}

static void add_matches(struct pattern *found, const char *folder, const char *pattern, const struct above *above);

/* Add what a pattern's last part matches, whose path is the listing's from then on. A link that leads nowhere is an
   image that is missing. */
static void add_match(struct pattern *found, char *path)
{
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode))
        add_path(&found->folders, path);
    else
        add_file(&found->files, path, exists && !S_ISREG(status.st_mode) ? "special" : NULL);
}

/* A part without a wildcard: a folder on the way, or the end of it. */
static void add_literal(struct pattern *found, const char *folder, const char *part, bool is_last, const char *after)
{
    struct stat status;
    char *path = need_print("%s%s%s", folder, part, is_last ? "" : "/");
    if (!is_last)
        add_matches(found, path, after, NULL);
    else if (lstat(path, &status) == 0)
        add_match(found, need_copy(path));
    free(path);
}

/* Add the files and folders that match `pattern` under `folder` (ends in a slash, or is empty); ** is any folders, or
   none. Links are followed, but not into one of the folders above. */
static void add_matches(struct pattern *found, const char *folder, const char *pattern, const struct above *above)
{
    size_t length = strcspn(pattern, "/");
    char *part = need_print("%.*s", (int)length, pattern);
    const char *after = pattern + length + strspn(pattern + length, "/"), *here = *folder ? folder : ".";
    bool is_last = pattern[length] == 0, is_deep = strcmp(part, "**") == 0;
    struct stat status;
    if (!strpbrk(part, WILD)) {
        add_literal(found, folder, part, is_last, after);
        free(part);
        return;
    }
    if (is_deep && !is_last)
        add_matches(found, folder, after, NULL);
    else if (is_deep && *folder)
        add_path(&found->folders, need_copy(folder));
    bool is_there = stat(here, &status) == 0 && !(is_deep && leads_back(above, &status));
    struct above deeper = {above, status.st_dev, status.st_ino};
    DIR *directory = is_there ? opendir(here) : NULL;
    for (struct dirent *item; directory && (item = readdir(directory));) {
        const char *name = item->d_name;
        if ((name[0] == '.' && (is_deep || part[0] != '.')) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            (!is_deep && !matches(part, name)))
            continue;
        char *path = need_print("%s%s", folder, name), *inside = need_print("%s/", path);
        bool is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
        if (is_last && !(is_folder && is_deep))
            add_match(found, need_copy(path));
        if (is_folder && is_deep)
            add_matches(found, inside, pattern, &deeper);
        else if (is_folder && !is_last)
            add_matches(found, inside, after, NULL);
        free(path);
        free(inside);
    }
    if (directory)
        closedir(directory);
    free(part);
}

struct kind {
    const char *name;
    size_t count;
};

static int by_count(const void *one, const void *other)
{
    const struct kind *a = one, *b = other;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : strcmp(a->name, b->name);
}

/* Add "12 files were left out (8 .txt, 4 without a suffix)", or nothing. */
static void add_left_out(const struct listing *listing, struct text *text)
{
    struct kind *kinds = NULL;
    size_t count = 0, all = 0, others = 0;
    for (size_t index = 0; index < listing->count; index++) {
        const char *name = listing->at[index].kind;
        size_t kind = 0;
        if (!name)
            continue;
        all++;
        while (kind < count && strcmp(kinds[kind].name, name) != 0)
            kind++;
        if (kind == count) {
            kinds = need_more(kinds, ++count * sizeof *kinds);
            kinds[kind] = (struct kind){name, 0};
        }
        kinds[kind].count++;
    }
    if (all) {
        qsort(kinds, count, sizeof *kinds, by_count);
        text_print(text, "%zu file%s left out (", all, all == 1 ? " was" : "s were");
        for (size_t kind = 0; kind < count; kind++) {
            if (kind >= NAMED) {
                others += kinds[kind].count;
                continue;
            }
            text_print(text, "%s%zu ", kind ? ", " : "", kinds[kind].count);
            text_one_line(text, kinds[kind].name);
        }
        if (others)
            text_print(text, ", %zu of other kinds", others);
        text_word(text, ")");
    }
    free(kinds);
}

static bool has_images(const struct listing *listing)
{
    for (size_t index = 0; index < listing->count; index++)
        if (!listing->at[index].kind)
            return true;
    return false;
}

/* Of files with one path the first counts: an image, where one of them is. */
static void sort(struct listing *listing)
{
    size_t kept = 0;
    if (listing->count)
        qsort(listing->at, listing->count, sizeof *listing->at, by_path);
    for (size_t index = 0; index < listing->count; index++) {
        if (kept && strcmp(listing->at[kept - 1].path, listing->at[index].path) == 0) {
            free(listing->at[index].path);
            free(listing->at[index].kind);
        } else {
            listing->at[kept++] = listing->at[index];
        }
    }
    listing->count = kept;
}

static struct job *add_job(struct jobs *jobs, const char *image, const char *word, long root)
{
    jobs->at = need_more(jobs->at, (jobs->count + 1) * sizeof *jobs->at);
    jobs->at[jobs->count] = (struct job){need_copy(image), word, root, {0}};
    return &jobs->at[jobs->count++];
}

/* Add the images of a listing, and empty it; `root` bytes of the word are the folder that was looked into. */
static void add_images(struct jobs *jobs, const char *word, size_t root, const char *without, struct listing *listing,
                       struct text *note)
{
    struct text left_out = {0};
    sort(listing);
    add_left_out(listing, &left_out);
    bool found = has_images(listing);
    if (!found) {
        struct text expected = {0};
        for (const char *const *suffix = SUFFIXES; *suffix; suffix++)
            text_print(&expected, "%s%s", suffix == SUFFIXES ? "" : ", ", *suffix);
        fail_as(&add_job(jobs, word, word, -1)->failure, "image.missing", "%s %s%s%s: expected files that end in %s", word,
                without, left_out.length ? ", " : "", left_out.length ? left_out.at : "", expected.at);
        text_free(&expected);
    } else if (left_out.length) {
        text_one_line(note, word);
        text_print(note, ": %s", left_out.at);
    }
    for (size_t index = 0; found && index < listing->count; index++) {
        const char *path = listing->at[index].path, *slash = strrchr(path, '/');
        bool is_below = strncmp(path, word, root) == 0;
        if (!listing->at[index].kind)
            add_job(jobs, path, word, is_below ? (long)root : slash ? slash + 1 - path : 0);
    }
    text_free(&left_out);
    free_listing(listing);
}

static void add_folder(struct jobs *jobs, const char *word, const char *skip, struct text *note)
{
    struct listing listing = {0};
    int error = list(word, skip, &listing);
    if (error) {
        fail_as(&add_job(jobs, word, word, -1)->failure, "image.unreadable",
                "%s can't be read (%s): check the path and its permissions", word, strerror(error));
        free_listing(&listing);
        return;
    }
    add_images(jobs, word, strlen(word), "has no images in it", &listing, note);
}

static void add_pattern(struct jobs *jobs, const char *word, const char *skip, struct text *note)
{
    struct pattern found = {0};
    size_t slashes = strspn(word, "/"), root = strcspn(word, WILD);
    add_matches(&found, slashes ? "/" : "", word + slashes, NULL);
    while (root && word[root - 1] != '/')
        root--;
    bool any = found.files.count || found.folders.count;
    for (size_t index = 0; index < found.folders.count; index++)
        if (list(found.folders.at[index], skip, &found.files))
            add_file(&found.files, need_copy(found.folders.at[index]), NULL); /* reading it says why */
    if (any)
        add_images(jobs, word, root, "matches nothing that is an image", &found.files, note);
    else
        fail_as(&add_job(jobs, word, word, -1)->failure, "image.missing", "%s matches no file: check the pattern", word);
    free_listing(&found.files);
    free_paths(&found.folders);
}

void jobs_expand(struct jobs *jobs, const char *word, const char *skip, struct text *note)
{
    struct stat status;
    bool exists = stat(word, &status) == 0;
    if (strcmp(word, "-") != 0 && exists && S_ISDIR(status.st_mode))
        add_folder(jobs, word, skip, note);
    else if (strcmp(word, "-") != 0 && !exists && strpbrk(word, WILD))
        add_pattern(jobs, word, skip, note);
    else
        add_job(jobs, word, word, -1);
}

void jobs_free(struct jobs *jobs)
{
    for (size_t index = 0; index < jobs->count; index++) {
        free(jobs->at[index].image);
        free(jobs->at[index].failure.text);
    }
    free(jobs->at);
    *jobs = (struct jobs){0};
}
