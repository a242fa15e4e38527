/* Loaded before the C library: lets the n-th write or sync to a file below a folder fail, and all later ones if asked.
 *
 * FAULTY_FOLDER  the folder
 * FAULTY_AT      the number of the call that fails, from 1; 0 for none
 * FAULTY_ERRNO   the error
 * FAULTY_ON      1 if all later calls fail as well
 * FAULTY_COUNT   a file that gets the number of calls when the process ends
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls;

static int fails(int fd)
{
    const char *folder = getenv("FAULTY_FOLDER");
    char link[64], path[PATH_MAX];
    ssize_t length;
    long number, at;

    if (!folder)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0)
        return 0;
    pthread_mutex_lock(&lock);
    number = ++calls;
    pthread_mutex_unlock(&lock);
    at = atol(getenv("FAULTY_AT"));
    if (at && (number == at || (number > at && getenv("FAULTY_ON")[0] == '1'))) {
        errno = atoi(getenv("FAULTY_ERRNO"));
        return 1;
    }
    return 0;
}

__attribute__((destructor)) static void tell(void)
{
    const char *file = getenv("FAULTY_COUNT");
    FILE *out = file ? fopen(file, "w") : NULL;

    if (out) {
        fprintf(out, "%ld\n", calls);
        fclose(out);
    }
}

#define REAL(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

ssize_t write(int fd, const void *data, size_t size) { return fails(fd) ? -1 : REAL(write, fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return fails(fd) ? -1 : REAL(pwrite, fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return fails(fd) ? -1 : REAL(pwrite64, fd, data, size, at); }
int fsync(int fd) { return fails(fd) ? -1 : REAL(fsync, fd); }
int fdatasync(int fd) { return fails(fd) ? -1 : REAL(fdatasync, fd); }
int ftruncate(int fd, off_t size) { return fails(fd) ? -1 : REAL(ftruncate, fd, size); }
int ftruncate64(int fd, off64_t size) { return fails(fd) ? -1 : REAL(ftruncate64, fd, size); }
