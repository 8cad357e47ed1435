/* Preloaded into a process: chosen system calls fail, do half of what they are asked, or lose the folder under them.

   The plan is a file that every process of a run maps, so that workers, forked or started, count together; `plan.py` has
   the same table. Which path a descriptor has is asked of /proc at each call: so it does not matter who opened it. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <dlfcn.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { OPEN = 1, CREATE, READ, WRITE, LOOK, REMOVE };
enum { SHORT = -1, VANISH = -2, ROWS = 4, LONGEST = 2 * PATH_MAX };

struct fault {
    int call, what, first, last, seen, struck;
    char pattern[1000];
};

static struct fault *plan;

__attribute__((constructor)) static void map_plan(void) {
    const char *name = getenv("FAULTS");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *found = mmap(NULL, ROWS * sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (found != MAP_FAILED)
        plan = found;
    close(file);
}

static int removed(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)found, (void)kind, (void)place;
    return remove(path);
}

/* What is to happen to a call: an errno, SHORT, or 0. */
static int fault_at(enum call call, const char *path) {
    for (struct fault *row = plan; row < plan + ROWS && row->call; row++) {
        if (row->call != (int)call || fnmatch(row->pattern, path, 0) != 0)
            continue;
        int turn = __atomic_add_fetch(&row->seen, 1, __ATOMIC_SEQ_CST);
        if (turn < row->first || turn > row->last)
            continue;
        __atomic_add_fetch(&row->struck, 1, __ATOMIC_SEQ_CST);
        if (row->what != VANISH)
            return row->what;
        char folder[LONGEST];
        snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
        nftw(folder, removed, 8, FTW_DEPTH | FTW_PHYS);
    }
    return 0;
}

static int is_idle(void) { return !plan || !plan->call; }

static void path_of(int descriptor, char *path) {
    char link[40];
    snprintf(link, sizeof link, descriptor == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX);
    path[length < 0 ? 0 : length] = 0;
}

static int fault_of(enum call call, int descriptor) {
    char path[LONGEST];
    if (is_idle())
        return 0;
    path_of(descriptor, path);
    return fault_at(call, path);
}

static int fault_in(enum call call, int folder, const char *name) {
    char path[LONGEST];
    if (is_idle())
        return 0;
    if (*name == '/')
        return fault_at(call, name);
    path_of(folder, path);
    size_t length = strlen(path);
    snprintf(path + length, sizeof path - length, "/%s", name);
    return fault_at(call, path);
}

static int refused(int what) {
    if (what > 0)
        errno = what;
    return what > 0;
}

static size_t asked(int what, size_t wanted) { return what == SHORT ? (wanted + 1) / 2 : wanted; }

/* --- opening, making and removing --- */

static int opened(int folder, const char *name, int flags, va_list more) {
    mode_t mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? va_arg(more, mode_t) : 0;
    if (refused(fault_in(flags & O_CREAT ? CREATE : OPEN, folder, name)))
        return -1;
    return (int)syscall(SYS_openat, folder, name, flags, mode);
}

int openat(int folder, const char *name, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int descriptor = opened(folder, name, flags, more);
    va_end(more);
    return descriptor;
}

int open(const char *name, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int descriptor = opened(AT_FDCWD, name, flags, more);
    va_end(more);
    return descriptor;
}

/* Python has no function for openat2(2), so it comes by this one. */
long syscall(long number, ...) {
    static long (*real)(long, ...);
    long given[6];
    va_list more;
    if (!real)
        real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_start(more, number);
    for (int at = 0; at < 6; at++)
        given[at] = va_arg(more, long);
    va_end(more);
    if (number == SYS_openat2) {
        const struct open_how *how = (const struct open_how *)given[2];
        if (refused(fault_in(how->flags & O_CREAT ? CREATE : OPEN, (int)given[0], (const char *)given[1])))
            return -1;
    }
    return real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

int openat64(int, const char *, int, ...) __attribute__((alias("openat")));
int open64(const char *, int, ...) __attribute__((alias("open")));

DIR *opendir(const char *name) {
    int descriptor = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return descriptor < 0 ? NULL : fdopendir(descriptor);
}

int mkdirat(int folder, const char *name, mode_t mode) {
    return refused(fault_in(CREATE, folder, name)) ? -1 : (int)syscall(SYS_mkdirat, folder, name, mode);
}

int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int unlinkat(int folder, const char *name, int flags) {
    return refused(fault_in(REMOVE, folder, name)) ? -1 : (int)syscall(SYS_unlinkat, folder, name, flags);
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

/* --- reading and writing --- */

ssize_t read(int file, void *data, size_t wanted) {
    int what = fault_of(READ, file);
    return refused(what) ? -1 : syscall(SYS_read, file, data, asked(what, wanted));
}

ssize_t write(int file, const void *data, size_t wanted) {
    int what = fault_of(WRITE, file);
    return refused(what) ? -1 : syscall(SYS_write, file, data, asked(what, wanted));
}

ssize_t pread64(int file, void *data, size_t wanted, off64_t from) {
    int what = fault_of(READ, file);
    return refused(what) ? -1 : syscall(SYS_pread64, file, data, asked(what, wanted), from);
}

ssize_t pwrite64(int file, const void *data, size_t wanted, off64_t from) {
    int what = fault_of(WRITE, file);
    return refused(what) ? -1 : syscall(SYS_pwrite64, file, data, asked(what, wanted), from);
}

/* Of several parts a short call does half of the first. */
ssize_t readv(int file, const struct iovec *parts, int count) {
    int what = fault_of(READ, file);
    struct iovec half = {parts->iov_base, asked(what, parts->iov_len)};
    return refused(what) ? -1 : syscall(SYS_readv, file, what == SHORT ? &half : parts, what == SHORT ? 1 : count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    int what = fault_of(WRITE, file);
    struct iovec half = {parts->iov_base, asked(what, parts->iov_len)};
    return refused(what) ? -1 : syscall(SYS_writev, file, what == SHORT ? &half : parts, what == SHORT ? 1 : count);
}

/* --- looking --- */

int fstat64(int file, struct stat64 *found) {
    return refused(fault_of(LOOK, file)) ? -1 : fstatat64(file, "", found, AT_EMPTY_PATH);
}

/* What a Python calls that was built with glibc before 2.33. */
int __fxstat64(int version, int file, struct stat64 *found) {
    (void)version;
    return fstat64(file, found);
}
