/*
 * Preloaded into a process by bench/writeFaults.mjs: the FAULT_AT-th system call that writes below FAULT_UNDER fails with FAULT_ERRNO.
 * Each such call is a line of FAULT_TRACE.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static int below(const char* path) {
  const char* under = getenv("FAULT_UNDER");
  return under != NULL && path != NULL && strncmp(path, under, strlen(under)) == 0;
}

/* True when this call is to fail; errno is set then. */
static int fails(const char* what, const char* path) {
  if (!below(path)) return 0;
  long number = atomic_fetch_add(&calls, 1) + 1;
  FILE* trace = fopen(getenv("FAULT_TRACE"), "a");
  if (trace != NULL) {
    fprintf(trace, "%s %s\n", what, path);
    fclose(trace);
  }
  const char* at = getenv("FAULT_AT");
  if (at == NULL || number != atol(at)) return 0;
  errno = atoi(getenv("FAULT_ERRNO"));
  return 1;
}

static int fileFails(const char* what, int file) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails(what, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void* bytes, size_t size) {
  return fileFails("write", file) ? -1 : REAL(write)(file, bytes, size);
}
ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
  return fileFails("pwrite", file) ? -1 : REAL(pwrite)(file, bytes, size, at);
}
ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t at) {
  return fileFails("pwrite", file) ? -1 : REAL(pwrite64)(file, bytes, size, at);
}
int fsync(int file) { return fileFails("fsync", file) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return fileFails("fdatasync", file) ? -1 : REAL(fdatasync)(file); }
int rename(const char* from, const char* to) { return fails("rename", to) ? -1 : REAL(rename)(from, to); }
int link(const char* from, const char* to) { return fails("link", to) ? -1 : REAL(link)(from, to); }
int unlink(const char* path) { return fails("unlink", path) ? -1 : REAL(unlink)(path); }
int mkdir(const char* path, mode_t mode) { return fails("mkdir", path) ? -1 : REAL(mkdir)(path, mode); }

#define OPEN(name)                                                                    \
  int name(const char* path, int flags, ...) {                                        \
    mode_t mode = 0;                                                                  \
    if (flags & O_CREAT) {                                                            \
      va_list rest;                                                                   \
      va_start(rest, flags);                                                          \
      mode = va_arg(rest, mode_t);                                                    \
      va_end(rest);                                                                   \
    }                                                                                 \
    if ((flags & O_CREAT) && fails("open", path)) return -1;                          \
    return REAL(name)(path, flags, mode);                                             \
  }
OPEN(open)
OPEN(open64)
