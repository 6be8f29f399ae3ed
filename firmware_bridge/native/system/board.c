#include "board.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "memory.h"

#define FREQUENCY "/sys/devices/system/cpu/cpu0/cpufreq/"

/* Bits of the Raspberry Pi firmware's get_throttled; the same ones 16 higher say that it happened since the start. */
static const char *const CAUSES[] = {"under-voltage", "frequency capped", "throttled", "soft temperature limit"};
enum { CAUSE_COUNT = 4, OCCURRED = 16 };

/* A small file's text, printable characters only; NULL where there is none. */
static char *small_text(const char *path)
{
    char bytes[4096];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = descriptor < 0 ? -1 : read(descriptor, bytes, sizeof bytes);
    if (descriptor >= 0)
        close(descriptor);
    struct text text = {0};
    const char *at = bytes;
    while (count > 0 && at < bytes + count) {
        uint32_t letter = next_letter(&at, bytes + count);
        if (letter >= 0xdc80 && letter <= 0xdcff)
            letter = 0xfffd;
        if (is_shown(letter) && (letter != ' ' || text.length))
            text_letter(&text, letter);
    }
    while (text.length && text.at[text.length - 1] == ' ')
        text.at[--text.length] = 0;
    if (text.length == 0)
        text_free(&text);
    return text.at;
}

static int is_zone(const struct dirent *item)
{
    return strncmp(item->d_name, "thermal_zone", 12) == 0;
}

static int by_bytes(const struct dirent **one, const struct dirent **other)
{
    return strcmp((*one)->d_name, (*other)->d_name);
}

static double temperature(void)
{
    static const char *const words[] = {"cpu", "soc", "pkg"};
    static const char folder[] = "/sys/class/thermal";
    struct dirent **zones = NULL;
    int count = scandir(folder, &zones, is_zone, by_bytes), best = 4;
    double found = NAN;
    for (int index = 0; index < count; index++) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s/temp", folder, zones[index]->d_name);
        char *degrees = small_text(path);
        snprintf(path, sizeof path, "%s/%s/type", folder, zones[index]->d_name);
        char *type = small_text(path);
        int rank = 3;
        for (int word = 2; word >= 0; word--)
            if (strcasestr(type ? type : zones[index]->d_name, words[word]))
                rank = word;
        char *end = degrees;
        long thousandths = degrees ? strtol(degrees, &end, 10) : 0;
        if (degrees && end != degrees && !*end && rank < best) {
            best = rank;
            found = (double)thousandths / 1000;
        }
        free(degrees);
        free(type);
        free(zones[index]);
    }
    free(zones);
    return found;
}

struct board board_read(void)
{
    struct board board = {.cores = sysconf(_SC_NPROCESSORS_ONLN), .temperature_c = temperature()};
    struct utsname name;
    snprintf(board.architecture, sizeof board.architecture, "%s", uname(&name) == 0 ? name.machine : "unknown");
    board.model = small_text("/proc/device-tree/model");
    if (!board.model)
        board.model = small_text("/sys/class/dmi/id/product_name");
    if (!board.model)
        board.model = need_copy(board.architecture);
    board.governor = small_text(FREQUENCY "scaling_governor");
    board.driver = small_text(FREQUENCY "scaling_driver");
    char *bits = small_text("/sys/devices/platform/soc/soc:firmware/get_throttled"), *end = bits;
    board.throttled = bits ? (unsigned)strtoul(bits, &end, 16) : 0;
    board.knows_throttled = bits && end != bits && !*end;
    free(bits);
    return board;
}

void board_free(struct board *board)
{
    free(board->model);
    free(board->governor);
    free(board->driver);
}

static void add_causes(unsigned bits, const char *quote, struct text *text)
{
    const char *between = "";
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        if (bits >> cause & 1) {
            text_print(text, "%s%s%s%s", between, quote, CAUSES[cause], quote);
            between = ", ";
        }
}

static void add_words(const char *key, const char *words, struct text *text)
{
    text_print(text, ", \"%s\": ", key);
    if (words)
        text_json(text, words);
    else
        text_word(text, "null");
}

void board_json(const struct board *board, struct text *text)
{
    text_word(text, "{\"model\": ");
    text_json(text, board->model);
    add_words("architecture", board->architecture, text);
    text_print(text, ", \"cores\": %ld", board->cores < 1 ? 1 : board->cores);
    add_words("governor", board->governor, text);
    add_words("driver", board->driver, text);
    text_word(text, ", \"temperature_c\": ");
    text_float(text, board->temperature_c);
    text_word(text, ", \"throttled\": ");
    if (board->knows_throttled) {
        text_word(text, "{\"now\": [");
        add_causes(board->throttled, "\"", text);
        text_word(text, "], \"occurred\": [");
        add_causes(board->throttled >> OCCURRED, "\"", text);
        text_word(text, "]}");
    } else {
        text_word(text, "null");
    }
    text_word(text, "}");
}

void board_line(const struct board *board, struct text *text)
{
    text_word(text, board->model);
    if (strcmp(board->model, board->architecture) != 0)
        text_print(text, ", %s", board->architecture);
    text_print(text, ", %ld core%s", board->cores, board->cores > 1 ? "s" : "");
    if (board->governor)
        text_print(text, ", governor %s", board->governor);
    if (!isnan(board->temperature_c))
        text_print(text, ", %.1f degC", board->temperature_c);
    if (board->knows_throttled) {
        text_word(text, ", throttled: ");
        if (board->throttled & 0xf)
            add_causes(board->throttled, "", text);
        else
            text_word(text, "no");
    }
}

void board_warnings(const struct board *board, struct text *text)
{
    unsigned now = board->knows_throttled ? board->throttled & 0xf : 0;
    unsigned before = board->knows_throttled ? board->throttled >> OCCURRED & 0xf : 0;
    if (now || before) {
        text_word(text, now ? "warning: the board is held back now (" : "warning: the board was held back since its start (");
        add_causes(now ? now : before, "", text);
        text_word(text, "): check power supply and cooling\n");
    }
    /* The pstate drivers' "powersave" is their ordinary mode and no slow one. */
    if (board->governor && strcmp(board->governor, "powersave") == 0 && !strstr(board->driver ? board->driver : "", "pstate"))
        text_word(text, "warning: the governor powersave keeps the cores slow: `cpufreq-set -g performance` makes them "
                        "fast\n");
}

/* The lower of `least` and the CPU quota of one control group, in cores, rounded up. */
static int under_quota(const char *folder, int least)
{
    static const char *const names[] = {"cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"};
    long long quota = 0, period = 0;
    char *texts[3], after;
    for (int name = 0; name < 3; name++) {
        char *path = need_print("%s/%s", folder, names[name]);
        texts[name] = small_text(path);
        free(path);
    }
    /* "max" and -1 say that there is none. */
    if (texts[0] ? sscanf(texts[0], "%lld %lld%c", &quota, &period, &after) != 2
                 : !texts[1] || !texts[2] || sscanf(texts[1], "%lld%c", &quota, &after) != 1 ||
                       sscanf(texts[2], "%lld%c", &period, &after) != 1)
        quota = 0;
    for (int name = 0; name < 3; name++)
        free(texts[name]);
    if (quota <= 0 || period <= 0)
        return least;
    long long cores = quota / period + (quota % period != 0);
    return cores < least ? (int)cores : least;
}

static bool lists(const char *controllers, size_t length, const char *word)
{
    while (length) {
        size_t one = strcspn(controllers, ",:\n");
        one = one < length ? one : length;
        if (one == strlen(word) && strncmp(controllers, word, one) == 0)
            return true;
        controllers += one < length ? one + 1 : one;
        length -= one < length ? one + 1 : one;
    }
    return false;
}

/* This process's control group: of version 2, or of version 1 that of the processor's time; NULL where it has none. */
static char *group_of(const char *root, bool second)
{
    char *path = need_print("%s/proc/self/cgroup", root), *line = NULL, *group = NULL;
    FILE *file = fopen(path, "re");
    size_t room = 0;
    while (file && !group && getline(&line, &room, file) >= 0) {
        char *controllers = strchr(line, ':'), *name = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!name)
            continue;
        size_t length = (size_t)(name - controllers - 1);
        name[strcspn(name, "\n")] = 0;
        if (second ? length == 0 : lists(controllers + 1, length, "cpu"))
            group = need_copy(name + 1);
    }
    if (file)
        fclose(file);
    free(line);
    free(path);
    return group;
}

/* Undo the kernel's \040 for a space and the like, in place. */
static void unescape(char *path)
{
    char *to = path;
    for (const char *from = path; *from; to++) {
        if (*from == '\\' && strspn(from + 1, "01234567") >= 3) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = 0;
}

static void cut_slashes(char *path)
{
    for (size_t length = strlen(path); length && path[length - 1] == '/';)
        path[--length] = 0;
}

/* The lower of `cores` and what the quotas leave of one mounted tree of control groups: line of mountinfo. */
static int under_mount(const char *root, char *line, int cores)
{
    char top[4096], mount[4096], kind[64], options[4096], *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", top, mount) != 2 ||
        sscanf(rest, " - %63s %*s %4095s", kind, options) != 2)
        return cores;
    bool second = strcmp(kind, "cgroup2") == 0;
    if (!second && (strcmp(kind, "cgroup") != 0 || !lists(options, strlen(options), "cpu")))
        return cores;
    char *group = group_of(root, second);
    if (!group)
        return cores;
    cut_slashes(top);
    cut_slashes(group);
    unescape(mount);
    size_t length = strlen(top), all = strlen(group);
    bool is_inside = strncmp(group, top, length) == 0 && (group[length] == '/' || !group[length]) &&
                     !strstr(group, "/../") && !(all >= 3 && strcmp(group + all - 3, "/..") == 0);
    struct text path = {0};
    text_print(&path, "%s/%s", root, mount);
    size_t end = path.length;
    text_word(&path, is_inside ? group + length : "");
    for (;;) { /* a group is limited by those that it lies in, too */
        cores = under_quota(path.at, cores);
        char *slash = strrchr(path.at, '/');
        if (strlen(path.at) <= end)
            break;
        *slash = 0;
    }
    text_free(&path);
    free(group);
    return cores;
}

int usable_cores(const char *root)
{
    cpu_set_t set;
    long count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    int cores = count < 1 ? 1 : (int)count;
    char *path = need_print("%s/proc/self/mountinfo", root), *line = NULL;
    FILE *file = fopen(path, "re");
    size_t room = 0;
    while (file && getline(&line, &room, file) >= 0)
        cores = under_mount(root, line, cores);
    if (file)
        fclose(file);
    free(line);
    free(path);
    return cores;
}
