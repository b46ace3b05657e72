// Files that are mapped into memory as tensors, and what happens when one shrinks meanwhile.
#include "addon.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <mutex>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace anatomy {
namespace {

// What the signal handler reads. Entries are used again but never freed, as it may read them at any time.
struct Mapping {
  std::atomic<uintptr_t> start{0};  // 0 while the entry is free
  std::atomic<size_t> length{0};
  char path[1024] = {};
  Mapping* next = nullptr;
};

std::mutex registering;
std::atomic<Mapping*> mappings{nullptr};
struct sigaction previousBusError;

// The exit code of DataError (src/errors.ts).
constexpr int kDataExit = 3;

void say(const char* text) {
  size_t length = std::strlen(text);
  while (length > 0) {
    ssize_t written = ::write(STDERR_FILENO, text, length);
    if (written <= 0) return;
    text += written;
    length -= static_cast<size_t>(written);
  }
}

void passOn(int signal, siginfo_t* info, void* context) {
  if ((previousBusError.sa_flags & SA_SIGINFO) != 0) return previousBusError.sa_sigaction(signal, info, context);
  if (previousBusError.sa_handler != SIG_DFL && previousBusError.sa_handler != SIG_IGN) {
    return previousBusError.sa_handler(signal);
  }
  // The access is tried again after the return, and ends the process as it would have without us.
  sigaction(signal, &previousBusError, nullptr);
  if (info->si_code <= 0) raise(signal);  // sent by a process: nothing is tried again
}

// A page behind the end of a file has no content, and reading it raises SIGBUS inside one of LibTorch's kernels. No value
// of the batch can be trusted then and no kernel can be left by an exception, so the process ends, but not without a word.
void onBusError(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (Mapping* mapping = mappings.load(); info->si_code > 0 && mapping != nullptr; mapping = mapping->next) {
    const uintptr_t start = mapping->start.load();
    if (start == 0 || address < start || address - start >= mapping->length.load()) continue;
    say("\nerror: ");
    say(mapping->path);
    say(" was cut short, or its disk failed, while its images were in use (SIGBUS). Nothing was saved since the last "
        "checkpoint. If it is a pack, copy it again; if it lies in the cache, delete its folder. Then give the same "
        "command again.\n");
    _exit(kDataExit);
  }
  passOn(signal, info, context);
}

void watchBusErrors() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = onBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previousBusError);
  });
}

Mapping* registerMapping(const std::string& path, void* start, size_t length) {
  std::lock_guard<std::mutex> lock(registering);
  Mapping* mapping = mappings.load();
  while (mapping != nullptr && mapping->start.load() != 0) mapping = mapping->next;
  const bool added = mapping == nullptr;
  if (added) mapping = new Mapping();
  // The end of a long path says more than its beginning. A name's control characters are not the terminal's.
  const size_t room = sizeof(mapping->path) - 1;
  const std::string shown = path.size() > room ? "..." + path.substr(path.size() - room + 3) : path;
  for (size_t i = 0; i <= shown.size(); ++i) {
    const auto byte = static_cast<unsigned char>(shown.c_str()[i]);
    mapping->path[i] = static_cast<char>(byte != 0 && (byte < 0x20 || byte == 0x7f) ? '?' : byte);
  }
  mapping->length = length;
  mapping->start = reinterpret_cast<uintptr_t>(start);
  if (added) {
    mapping->next = mappings.load();
    mappings = mapping;
  }
  return mapping;
}

void unmap(Mapping* mapping, void* start, size_t length) {
  ::munmap(start, length);
  std::lock_guard<std::mutex> lock(registering);
  mapping->start = 0;
}

// Closes a file when its scope ends.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

}  // namespace

at::Tensor mapFile(Napi::Env env, const std::string& path, bool shared, int64_t count, at::ScalarType dtype) {
  auto refuse = [&](const std::string& why) { throwTensorError(env, "argument", "from_file: " + path + " " + why); };
  const size_t itemSize = at::elementSize(dtype);
  if (count < 0 || static_cast<uint64_t>(count) > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / itemSize) {
    refuse("is asked for " + std::to_string(count) + " values, expected a number ≥ 0 whose bytes can be counted");
  }
  if (path.find('\0') != std::string::npos) refuse("is a name with a zero byte in it");
  // O_NONBLOCK: a named pipe is refused below, where it would else wait for a writer.
  const Descriptor file{::open(path.c_str(), (shared ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) refuse(std::string("cannot be opened: ") + std::strerror(errno));
  struct stat facts = {};
  if (::fstat(file.number, &facts) != 0) refuse(std::string("cannot be examined: ") + std::strerror(errno));
  if (!S_ISREG(facts.st_mode)) refuse("is no regular file");
  const size_t length = static_cast<size_t>(count) * itemSize;
  if (static_cast<uint64_t>(facts.st_size) < length) {
    refuse("has " + std::to_string(facts.st_size) + " bytes, fewer than the " + std::to_string(length) + " asked for");
  }
  const auto options = at::TensorOptions().dtype(dtype);
  if (length == 0) return at::empty({0}, options);
  watchBusErrors();
  void* start = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, file.number, 0);
  if (start == MAP_FAILED) refuse(std::string("cannot be mapped: ") + std::strerror(errno));
  Mapping* mapping = registerMapping(path, start, length);
  return at::from_blob(start, {count}, [mapping, length](void* data) { unmap(mapping, data, length); }, options);
}

}  // namespace anatomy
