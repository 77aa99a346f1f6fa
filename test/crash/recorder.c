/*
 * An LD_PRELOAD shim that sees what a process does to the files below one directory: it writes a
 * log of every change and sync with all its bytes, and can make the disk slow, full, broken or
 * read-only, or kill the process at a chosen operation.
 *
 * Environment:
 *   RECORDER_WATCH    the directory, absolute, without a slash at its end; without it nothing is done
 *   RECORDER_LOG      file to append the log to, outside of the directory
 *   RECORDER_BYTES    "0": the log names writes without their bytes
 *   RECORDER_MARKS    a descriptor whose writes are logged as marks, in order with the rest
 *   RECORDER_SYNC_MS  each fsync takes this much longer
 *   RECORDER_FAULTS   a file read before each change: `capacity N`, `EIO`, `EROFS`, or nothing
 *   RECORDER_KILL     `W:store.db-wal:37`: SIGKILL before the 37th such operation (letters below)
 *
 * A log record is little-endian: u8 letter, u8 0, u16 0, i32 descriptor, u64 a, u64 b, u32 length,
 * u32 length, then two byte strings of these lengths. The reader is io-log.ts.
 *
 *   B  process began                          O  open: a = created, path
 *   C  close                                  W  write: a = offset, b = length, bytes
 *   T  truncate: a = length                   A  allocate: a = offset, b = length
 *   R  rename: path, path                     U  unlink: path         D  mkdir: path
 *   S  sync asked for                         E  sync has returned
 *   M  mark: bytes                            X  what this shim cannot follow: its name
 *
 * The calls are made through syscall(2), by the *at forms that every architecture has. One lock
 * is held over a change and its record, so the log's order is the order of the changes; not over
 * a sync, which would stop the other threads: what it covers is what came before its S.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096
#define BLOCK_BYTES 4096

static const char *watch;
static size_t watch_length;
static int log_fd = -1;
static int mark_fd = -1;
static int with_bytes = 1;
static long sync_ms;
static const char *faults_file;
static char kill_letter;
static char kill_name[64];
static long kill_countdown;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Paths of the watched descriptors; a descriptor that is not watched has none. */
static char *paths[DESCRIPTORS_MAX];
static struct {
  dev_t device;
  ino_t inode;
} files[DESCRIPTORS_MAX];

static void record(char letter, int fd, uint64_t a, uint64_t b, const void *one, uint32_t one_length,
                   const void *two, uint32_t two_length) {
  if (log_fd < 0) return;
  unsigned char head[32] = {0};
  int32_t descriptor = fd;
  head[0] = (unsigned char)letter;
  memcpy(head + 4, &descriptor, 4);
  memcpy(head + 8, &a, 8);
  memcpy(head + 16, &b, 8);
  memcpy(head + 24, &one_length, 4);
  memcpy(head + 28, &two_length, 4);
  struct iovec parts[3] = {
      {head, sizeof head}, {(void *)one, one_length}, {(void *)two, two_length}};
  ssize_t expected = (ssize_t)(sizeof head + one_length + two_length);
  if (syscall(SYS_writev, log_fd, parts, 3) != expected) abort();
}

static void record_path(char letter, int fd, uint64_t a, const char *path) {
  record(letter, fd, a, 0, path, (uint32_t)strlen(path), NULL, 0);
}

static int is_watched(const char *path) {
  return watch != NULL && path != NULL && strncmp(path, watch, watch_length) == 0 &&
         (path[watch_length] == '/' || path[watch_length] == 0);
}

/* Node closes by a bare system call, which is not seen: the descriptor may be another file by now. */
static const char *path_of(int fd) {
  struct stat status;
  if (fd < 0 || fd >= DESCRIPTORS_MAX || paths[fd] == NULL || fstat(fd, &status) != 0) return NULL;
  int same = status.st_dev == files[fd].device && status.st_ino == files[fd].inode;
  return same ? paths[fd] : NULL;
}

static const char *name_in(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

/* Called with the lock held, before an operation. */
static void maybe_kill(char letter, const char *path) {
  if (kill_letter != letter || strcmp(name_in(path), kill_name) != 0) return;
  kill_countdown -= 1;
  if (kill_countdown > 0) return;
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

__attribute__((constructor)) static void begin(void) {
  watch = getenv("RECORDER_WATCH");
  if (watch == NULL) return;
  watch_length = strlen(watch);
  const char *log = getenv("RECORDER_LOG");
  if (log != NULL) {
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log_fd < 0) abort();
  }
  const char *marks = getenv("RECORDER_MARKS");
  if (marks != NULL) mark_fd = atoi(marks);
  const char *bytes = getenv("RECORDER_BYTES");
  if (bytes != NULL && strcmp(bytes, "0") == 0) with_bytes = 0;
  const char *slow = getenv("RECORDER_SYNC_MS");
  if (slow != NULL) sync_ms = atol(slow);
  faults_file = getenv("RECORDER_FAULTS");
  const char *killing = getenv("RECORDER_KILL");
  if (killing != NULL &&
      sscanf(killing, "%c:%63[^:]:%ld", &kill_letter, kill_name, &kill_countdown) != 3) {
    abort();
  }
  record('B', getpid(), 0, 0, NULL, 0, NULL, 0);
}

/* Bytes of all files below the directory, as the sum of their lengths. */
static uint64_t used_bytes(const char *directory) {
  uint64_t sum = 0;
  DIR *entries = opendir(directory);
  if (entries == NULL) return 0;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char path[4096];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    if (lstat(path, &status) != 0) continue;
    sum += S_ISDIR(status.st_mode) ? used_bytes(path) : (uint64_t)status.st_size;
  }
  closedir(entries);
  return sum;
}

struct fault {
  int error; /* of any change, or 0 */
  int has_capacity;
  uint64_t capacity;
};

static struct fault fault_now(void) {
  struct fault fault = {0, 0, 0};
  if (faults_file == NULL) return fault;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, faults_file, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return fault;
  char words[64] = {0};
  ssize_t length = syscall(SYS_read, fd, words, sizeof words - 1);
  syscall(SYS_close, fd);
  if (length <= 0) return fault;
  if (strncmp(words, "EIO", 3) == 0) fault.error = EIO;
  if (strncmp(words, "EROFS", 5) == 0) fault.error = EROFS;
  if (strncmp(words, "capacity ", 9) == 0) {
    fault.has_capacity = 1;
    fault.capacity = strtoull(words + 9, NULL, 10);
  }
  return fault;
}

/* The errno with which a change fails that makes files longer by `growth` bytes; 0: it may go on. */
static int refused(uint64_t growth) {
  struct fault fault = fault_now();
  if (fault.error != 0) return fault.error;
  if (!fault.has_capacity || growth == 0) return 0;
  return used_bytes(watch) + growth > fault.capacity ? ENOSPC : 0;
}

static uint64_t growth_to(int fd, uint64_t end) {
  struct stat status;
  if (fstat(fd, &status) != 0) return 0;
  uint64_t size = (uint64_t)status.st_size;
  return end > size ? end - size : 0;
}

static int failed(int error) {
  errno = error;
  return -1;
}

/* ---- names ---- */

int access(const char *path, int mode) {
  int read_only = is_watched(path) && (mode & W_OK) != 0 && fault_now().error == EROFS;
  return read_only ? failed(EROFS) : (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

static int open_watched(const char *path, int flags, mode_t mode) {
  pthread_mutex_lock(&lock);
  int existed = faccessat(AT_FDCWD, path, F_OK, 0) == 0;
  int creates = (flags & O_CREAT) != 0 && !existed;
  int writes = (flags & O_ACCMODE) != O_RDONLY;
  if (creates) maybe_kill('O', path);
  int error = creates || writes ? refused(creates ? 1 : 0) : 0;
  if (error == EIO) error = 0; /* a broken disk fails on transfer, not on look-up */
  int fd = error != 0 ? failed(error) : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  if (fd >= DESCRIPTORS_MAX) abort();
  if (fd >= 0) {
    int saved = errno;
    free(paths[fd]);
    paths[fd] = strdup(path);
    struct stat status;
    if (fstat(fd, &status) != 0) abort();
    files[fd].device = status.st_dev;
    files[fd].inode = status.st_ino;
    record_path('O', fd, (uint64_t)creates, path);
    if ((flags & O_TRUNC) != 0 && writes && existed) record('T', fd, 0, 0, NULL, 0, NULL, 0);
    errno = saved;
  }
  pthread_mutex_unlock(&lock);
  return fd;
}

static int open_any(int directory, const char *path, int flags, mode_t mode) {
  if (is_watched(path)) return open_watched(path, flags, mode);
  return (int)syscall(SYS_openat, directory, path, flags, mode);
}

#define MODE_OF(flags)                            \
  mode_t mode = 0;                                \
  if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {   \
    va_list rest;                                 \
    va_start(rest, flags);                        \
    mode = va_arg(rest, mode_t);                  \
    va_end(rest);                                 \
  }

int open(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_any(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_any(AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_any(directory, path, flags, mode);
}
int openat64(int directory, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_any(directory, path, flags, mode);
}
int creat(const char *path, mode_t mode) {
  return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int close(int fd) {
  if (path_of(fd) == NULL) return (int)syscall(SYS_close, fd);
  pthread_mutex_lock(&lock);
  record('C', fd, 0, 0, NULL, 0, NULL, 0);
  free(paths[fd]);
  paths[fd] = NULL;
  int result = (int)syscall(SYS_close, fd);
  pthread_mutex_unlock(&lock);
  return result;
}

int rename(const char *from, const char *to) {
  if (!is_watched(from) && !is_watched(to)) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  }
  pthread_mutex_lock(&lock);
  maybe_kill('R', from);
  int error = refused(0);
  int result = error != 0 ? failed(error)
                          : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (result == 0) record('R', -1, 0, 0, from, (uint32_t)strlen(from), to, (uint32_t)strlen(to));
  pthread_mutex_unlock(&lock);
  return result;
}

int unlink(const char *path) {
  if (!is_watched(path)) return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  pthread_mutex_lock(&lock);
  maybe_kill('U', path);
  int error = refused(0);
  int result = error != 0 ? failed(error) : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  if (result == 0) record_path('U', -1, 0, path);
  pthread_mutex_unlock(&lock);
  return result;
}

/* Node removes files through the C++ library, whose call is this one. */
int remove(const char *path) {
  struct stat status;
  if (lstat(path, &status) != 0) return -1;
  if (!S_ISDIR(status.st_mode)) return unlink(path);
  if (is_watched(path)) record_path('X', -1, 0, "removal of a directory");
  return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode) {
  if (!is_watched(path)) return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  pthread_mutex_lock(&lock);
  int error = refused(1);
  int result = error != 0 ? failed(error) : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  if (result == 0) record_path('D', -1, 0, path);
  pthread_mutex_unlock(&lock);
  return result;
}

/* ---- contents ---- */

static ssize_t write_watched(int fd, const void *bytes, size_t length, off_t offset, int positioned) {
  pthread_mutex_lock(&lock);
  maybe_kill('W', paths[fd]);
  off_t at = offset;
  if (!positioned) {
    int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);
    at = (flags & O_APPEND) != 0 ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
  }
  int error = refused(growth_to(fd, (uint64_t)at + length));
  ssize_t result = error != 0 ? failed(error)
                   : positioned ? syscall(SYS_pwrite64, fd, bytes, length, offset)
                                : syscall(SYS_write, fd, bytes, length);
  if (result > 0) {
    record('W', fd, (uint64_t)at, (uint64_t)result, bytes, with_bytes ? (uint32_t)result : 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  if (path_of(fd) == NULL) return syscall(SYS_pwrite64, fd, bytes, length, offset);
  return write_watched(fd, bytes, length, offset, 1);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  return pwrite(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  if (path_of(fd) != NULL) return write_watched(fd, bytes, length, 0, 0);
  if (watch == NULL || fd != mark_fd) return syscall(SYS_write, fd, bytes, length);
  pthread_mutex_lock(&lock);
  ssize_t result = syscall(SYS_write, fd, bytes, length);
  if (result > 0) record('M', fd, 0, 0, bytes, (uint32_t)result, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

static int resize_watched(int fd, off_t length) {
  pthread_mutex_lock(&lock);
  maybe_kill('T', paths[fd]);
  int error = refused(0);
  int result = error != 0 ? failed(error) : (int)syscall(SYS_ftruncate, fd, length);
  if (result == 0) record('T', fd, (uint64_t)length, 0, NULL, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate(int fd, off_t length) {
  if (path_of(fd) == NULL) return (int)syscall(SYS_ftruncate, fd, length);
  return resize_watched(fd, length);
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

static int allocate(int fd, int mode, off_t offset, off_t length) {
  if (path_of(fd) == NULL) return (int)syscall(SYS_fallocate, fd, mode, offset, length);
  pthread_mutex_lock(&lock);
  int error = refused(growth_to(fd, (uint64_t)(offset + length)));
  int result = error != 0 ? failed(error) : (int)syscall(SYS_fallocate, fd, mode, offset, length);
  if (result == 0) {
    if (mode == 0) record('A', fd, (uint64_t)offset, (uint64_t)length, NULL, 0, NULL, 0);
    else record_path('X', fd, 0, "fallocate with a mode");
  }
  pthread_mutex_unlock(&lock);
  return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
  return allocate(fd, mode, offset, length);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
  return allocate(fd, mode, offset, length);
}
int posix_fallocate(int fd, off_t offset, off_t length) {
  return allocate(fd, 0, offset, length) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) {
  return posix_fallocate(fd, offset, length);
}

/* ---- syncs ---- */

static int sync_watched(int fd, long call) {
  pthread_mutex_lock(&lock);
  maybe_kill('S', paths[fd]);
  record('S', fd, 0, 0, NULL, 0, NULL, 0);
  int error = refused(0);
  pthread_mutex_unlock(&lock);
  if (sync_ms > 0) {
    struct timespec pause = {sync_ms / 1000, sync_ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
  }
  int result = error != 0 ? failed(error) : (int)syscall(call, fd);
  if (result == 0) {
    pthread_mutex_lock(&lock);
    record('E', fd, 0, 0, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
  }
  return result;
}

int fsync(int fd) {
  return path_of(fd) == NULL ? (int)syscall(SYS_fsync, fd) : sync_watched(fd, SYS_fsync);
}
int fdatasync(int fd) {
  return path_of(fd) == NULL ? (int)syscall(SYS_fdatasync, fd) : sync_watched(fd, SYS_fdatasync);
}

/* ---- free space, as the faults have it ---- */

int statfs(const char *path, struct statfs *status) {
  int result = (int)syscall(SYS_statfs, path, status);
  struct fault fault = fault_now();
  if (result != 0 || !is_watched(path) || !fault.has_capacity) return result;
  uint64_t used = used_bytes(watch);
  uint64_t free_bytes = used < fault.capacity ? fault.capacity - used : 0;
  status->f_bsize = BLOCK_BYTES;
  status->f_blocks = fault.capacity / BLOCK_BYTES;
  status->f_bfree = status->f_bavail = free_bytes / BLOCK_BYTES;
  return result;
}
int statfs64(const char *path, struct statfs64 *status) {
  return statfs(path, (struct statfs *)status);
}

/* ---- what this shim cannot follow: named in the log, where the reader refuses it ---- */

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  if ((flags & MAP_SHARED) != 0 && (protection & PROT_WRITE) != 0 && path_of(fd) != NULL) {
    record_path('X', fd, 0, "a shared writable mapping");
  }
  return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
  return mmap(address, length, protection, flags, fd, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (path_of(fd) != NULL || (watch != NULL && fd == mark_fd)) record_path('X', fd, 0, "writev");
  return syscall(SYS_writev, fd, parts, count);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  if (path_of(fd) != NULL) record_path('X', fd, 0, "pwritev");
  return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  return pwritev(fd, parts, count, offset);
}
int truncate(const char *path, off_t length) {
  if (is_watched(path)) record_path('X', -1, 0, "truncate by name");
  return (int)syscall(SYS_truncate, path, length);
}
int unlinkat(int directory, const char *path, int flags) {
  if (is_watched(path)) record_path('X', -1, 0, "unlinkat");
  return (int)syscall(SYS_unlinkat, directory, path, flags);
}
int link(const char *from, const char *to) {
  if (is_watched(from) || is_watched(to)) record_path('X', -1, 0, "link");
  return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int dup2(int from, int to) {
  if (path_of(from) != NULL) record_path('X', from, 0, "dup2");
  if (from == to) return fcntl(from, F_GETFD) < 0 ? -1 : to;
  return (int)syscall(SYS_dup3, from, to, 0);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t length) {
  if (path_of(to) != NULL) record_path('X', to, 0, "sendfile");
  return syscall(SYS_sendfile, to, from, offset, length);
}
ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t length,
                        unsigned flags) {
  if (path_of(to) != NULL) record_path('X', to, 0, "copy_file_range");
  return syscall(SYS_copy_file_range, from, from_offset, to, to_offset, length, flags);
}
int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
  /* It promises nothing about durability (sync_file_range(2)), so it is no sync to the log. */
  return (int)syscall(SYS_sync_file_range, fd, offset, length, flags);
}
