#include "shortage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "constants.h"

enum { ROOM = 64 << 20, DESCRIPTORS = 4, NEEDED = 2 };

static const char too_few[] = "too few files may be open at once: allow more (`ulimit -n`)";

bool lacks_memory(void)
{
    void *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return true;
    munmap(room, ROOM);
    return false;
}

static bool lacks_descriptors(int wanted)
{
    int opened[DESCRIPTORS], count = 0;
    bool lacks = false;
    while (count < wanted && !lacks) {
        int descriptor = open("/", O_RDONLY | O_CLOEXEC);
        lacks = descriptor < 0 && (errno == EMFILE || errno == ENFILE);
        if (descriptor < 0)
            break;
        opened[count++] = descriptor;
    }
    while (count > 0)
        close(opened[--count]);
    return lacks;
}

void explain_shortage(struct failure *failure)
{
    if (strcmp(failure->code, "model.unreadable") != 0 && strncmp(failure->code, "runtime.", 8) != 0)
        return;
    if (lacks_descriptors(DESCRIPTORS))
        fail_as(failure, "descriptors", "%s", too_few);
    else if (lacks_memory())
        fail_as(failure, "memory", "the memory is full: use smaller images or a smaller model");
}

bool check_descriptors(struct failure *failure)
{
    return !lacks_descriptors(NEEDED) || fail_as(failure, "descriptors", "%s", too_few);
}

static void *wait_for(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

bool check_threads(int count, size_t network, struct failure *failure)
{
    if (count < 2 || count > MAX_THREADS)
        return true; /* runtime_open refuses what is out of range */
    pthread_t threads[MAX_THREADS];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    size_t bytes = 2 * network + ROOM / 2;
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int started = 0, error = room == MAP_FAILED ? ENOMEM : 0;
    pthread_mutex_lock(&gate);
    while (!error && started < count - 1) {
        error = pthread_create(&threads[started], NULL, wait_for, &gate);
        started += !error;
    }
    pthread_mutex_unlock(&gate);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    if (room != MAP_FAILED)
        munmap(room, bytes);
    return !error || fail_as(failure, "memory",
                             "%d threads can't be started here, where memory or processes are limited: use --threads 1",
                             count);
}
