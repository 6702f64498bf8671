/* Faults between a process and its files: the n-th call on files under a folder fails, ends the
   process, or, for a power cut, ends it after what was synced has been copied aside.

   Built and preloaded by tests/faults/play.py; controlled by fault_* below, through ctypes. Calls on
   files elsewhere are passed on untouched. Memory maps are not seen; syncs of mapped files are. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { FAIL = 0, SHORT = 1, KILL = 2, TORN = 3 };
enum { WRITES = 1, SYNCS = 2, NAMES = 4, READS = 8, ROOM = 16 };

static char root[PATH_MAX], shadow[PATH_MAX];
static long count, at = -1, many;
static int kind, number, which;
static long hits;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void fault_root(const char *folder, const char *aside) {
    snprintf(root, sizeof root, "%s", folder);
    snprintf(shadow, sizeof shadow, "%s", aside);
}

/* Calls of the classes in `on` are counted from now; those from `first` on, `calls` of them, meet it. */
void fault_arm(int what, int error, int on, long first, long calls) {
    pthread_mutex_lock(&lock);
    kind = what, number = error, which = on, count = 0, hits = 0, at = first, many = calls;
    pthread_mutex_unlock(&lock);
}

void fault_disarm(void) { at = -1; }
long fault_count(void) { return count; }
long fault_hits(void) { return hits; }

static int ours(const char *path) {
    size_t n = strlen(root);
    return n && strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static int path_of(int fd, char *out) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, out, PATH_MAX - 1);
    if (n < 0) return 0;
    out[n] = 0;
    return ours(out);
}

static int ours_fd(int fd) {
    char path[PATH_MAX];
    return path_of(fd, path);
}

/* Whether this call meets the fault; the process may end here. */
static int met(int class) {
    if (at < 0) return 0;
    pthread_mutex_lock(&lock);
    int now = 0;
    if (at >= 0 && (class & which)) {
        now = count >= at && count < at + many;
        count++;
        hits += now;
    }
    pthread_mutex_unlock(&lock);
    if (now && kind == KILL) kill(getpid(), SIGKILL), pause();
    return now;
}

static int fails(int class, int *out) {
    if (!met(class) || kind == SHORT || kind == TORN) return 0;
    errno = number, *out = -1;
    return 1;
}

static void copy(int from, const char *to) {
    char part[2 * PATH_MAX], bytes[65536];
    snprintf(part, sizeof part, "%s.part", to);
    int out = REAL(open)(part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0) return;
    ssize_t n;
    off_t where = 0;
    while ((n = REAL(pread)(from, bytes, sizeof bytes, where)) > 0) {
        if (REAL(write)(out, bytes, n) != n) break;
        where += n;
    }
    close(out);
    REAL(rename)(part, to);
}

/* What is on the disk now, whatever comes: a file's bytes, or a folder's names. */
static void keep(int fd) {
    char path[PATH_MAX], to[PATH_MAX + 64];
    struct stat st;
    if (!shadow[0] || !path_of(fd, path) || fstat(fd, &st)) return;
    if (S_ISREG(st.st_mode)) {
        int own = REAL(open)(path, O_RDONLY);
        snprintf(to, sizeof to, "%s/%lu", shadow, (unsigned long)st.st_ino);
        copy(own >= 0 ? own : fd, to);
        if (own >= 0) close(own);
        return;
    }
    if (!S_ISDIR(st.st_mode)) return;
    char part[2 * PATH_MAX];
    snprintf(to, sizeof to, "%s/names-%lu", shadow, (unsigned long)st.st_ino);
    snprintf(part, sizeof part, "%s.part", to);
    FILE *out = fopen(part, "w");
    DIR *names = opendir(path);
    for (struct dirent *one; names && out && (one = readdir(names));)
        if (one->d_name[0] != '.')
            fprintf(out, "%lu %s\n", (unsigned long)one->d_ino, one->d_name);
    if (names) closedir(names);
    if (out) fclose(out);
    REAL(rename)(part, to);
}

#define TAIL_OF_OPEN                                   \
    mode_t mode = 0;                                   \
    if (flags & (O_CREAT | O_TMPFILE)) {               \
        va_list more;                                  \
        va_start(more, flags);                         \
        mode = va_arg(more, mode_t);                   \
        va_end(more);                                  \
    }                                                  \
    int out;                                           \
    if (ours(path) && fails(flags & (O_CREAT | O_WRONLY | O_RDWR) ? NAMES : READS, &out)) return out;

int open(const char *path, int flags, ...) { TAIL_OF_OPEN return REAL(open)(path, flags, mode); }
int open64(const char *path, int flags, ...) { TAIL_OF_OPEN return REAL(open64)(path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) {
    TAIL_OF_OPEN return REAL(openat)(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
    TAIL_OF_OPEN return REAL(openat64)(folder, path, flags, mode);
}

/* A short write is half of it; a torn one too, and the process ends. */
#define WRITE(call)                                                    \
    int out;                                                           \
    if (ours_fd(fd) && size) {                                         \
        if (met(WRITES)) {                                             \
            if (kind == FAIL) { errno = number; return -1; }           \
            size = size > 1 ? size / 2 : 1;                            \
            ssize_t done = call;                                       \
            if (kind == TORN) kill(getpid(), SIGKILL), pause();        \
            return done;                                               \
        }                                                              \
    }                                                                  \
    (void)out;                                                         \
    return call;

ssize_t write(int fd, const void *from, size_t size) { WRITE(REAL(write)(fd, from, size)) }
ssize_t pwrite(int fd, const void *from, size_t size, off_t where) {
    WRITE(REAL(pwrite)(fd, from, size, where))
}
ssize_t pwrite64(int fd, const void *from, size_t size, off64_t where) {
    WRITE(REAL(pwrite64)(fd, from, size, where))
}

#define READ(call)                                 \
    int out;                                       \
    if (ours_fd(fd) && fails(READS, &out)) return out; \
    return call;

ssize_t read(int fd, void *to, size_t size) { READ(REAL(read)(fd, to, size)) }
ssize_t pread(int fd, void *to, size_t size, off_t where) { READ(REAL(pread)(fd, to, size, where)) }
ssize_t pread64(int fd, void *to, size_t size, off64_t where) {
    READ(REAL(pread64)(fd, to, size, where))
}

#define SYNC(name)                                     \
    int name(int fd) {                                 \
        int out;                                       \
        if (!ours_fd(fd)) return REAL(name)(fd);       \
        if (fails(SYNCS, &out)) return out;            \
        out = REAL(name)(fd);                          \
        keep(fd);                                      \
        return out;                                    \
    }
SYNC(fsync)
SYNC(fdatasync)

int ftruncate(int fd, off_t size) { int out; if (ours_fd(fd) && fails(ROOM, &out)) return out; return REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { int out; if (ours_fd(fd) && fails(ROOM, &out)) return out; return REAL(ftruncate64)(fd, size); }
int posix_fallocate(int fd, off_t a, off_t n) { int out; if (ours_fd(fd) && fails(ROOM, &out)) return number; return REAL(posix_fallocate)(fd, a, n); }
int posix_fallocate64(int fd, off64_t a, off64_t n) { int out; if (ours_fd(fd) && fails(ROOM, &out)) return number; return REAL(posix_fallocate64)(fd, a, n); }
int rename(const char *a, const char *b) { int out; if (ours(b) && fails(NAMES, &out)) return out; return REAL(rename)(a, b); }
int unlink(const char *path) { int out; if (ours(path) && fails(NAMES, &out)) return out; return REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { int out; if (ours(path) && fails(NAMES, &out)) return out; return REAL(mkdir)(path, mode); }
