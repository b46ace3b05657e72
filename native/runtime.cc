// LibTorch's process-wide settings, the C library's allocator, signals and warnings.
#include "addon.h"
#include "compat.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/cuda.h>

#include <cmath>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <dlfcn.h>
#include <mutex>
#include <pthread.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace anatomy {
namespace {

class Collector : public compat::WarningSink {
 public:
  explicit Collector(Environment& environment) : environment_(environment) {}
  void warn(const std::string& message) override { environment_.warnings.push_back(message); }

 private:
  Environment& environment_;
};

// takeWarnings() → texts of the TORCH_WARNs since the last call
Napi::Value takeWarnings(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto& warnings = environmentOf(env)->warnings;
  Napi::Array texts = Napi::Array::New(env, warnings.size());
  for (uint32_t i = 0; i < warnings.size(); ++i) texts.Set(i, Napi::String::New(env, warnings[i]));
  warnings.clear();
  return texts;
}

Napi::Value manualSeed(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    at::manual_seed(static_cast<uint64_t>(info[0].ToNumber().Int64Value()));
    return info.Env().Undefined();
  });
}

Napi::Value getThreads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), at::get_num_threads());
}

// LibTorch knows nothing of OpenBLAS's own threads, whose number decides the last bits of a matrix product too.
Napi::Value setThreads(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const double asked = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
    if (!(asked >= 1 && asked <= INT32_MAX && asked == std::trunc(asked))) {
      throwTensorError(info.Env(), "argument", "the number of threads is no integer ≥ 1");
    }
    const int count = static_cast<int>(asked);
    at::set_num_threads(count);
    auto setOfBlas = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
    if (setOfBlas != nullptr) setOfBlas(count);
    return info.Env().Undefined();
  });
}

Napi::Value synchronize(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    if (torch::cuda::is_available()) torch::cuda::synchronize();
    return info.Env().Undefined();
  });
}

// tuneAllocator() → whether this C library takes the settings. Memory freed by one training step stays with the process
// for the next: otherwise every step faults in fresh pages (measured: 5 to 20 % of a step).
Napi::Value tuneAllocator(const Napi::CallbackInfo& info) {
  keepLargeBlocks();
#ifdef __GLIBC__
  // M_ARENA_MAX 1: other threads' arenas would not keep theirs. M_TRIM_THRESHOLD −1 is "never".
  bool tuned = mallopt(M_MMAP_MAX, 0) == 1 && mallopt(M_TRIM_THRESHOLD, -1) == 1 &&
               mallopt(M_TOP_PAD, 64 << 20) == 1 && mallopt(M_ARENA_MAX, 1) == 1;
  return Napi::Boolean::New(info.Env(), tuned);
#else
  return Napi::Boolean::New(info.Env(), false);
#endif
}

// OpenBLAS stops its threads whenever the process forks, as starting any child process does. A matrix product that another
// thread (a worker, the main thread) has under way would then wait for them for ever, so the fork waits for the product.
std::shared_mutex working;

void guardForks() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Handlers run last registered first: ours before OpenBLAS's own, which was registered when its library was loaded.
    auto release = [] { working.unlock(); };
    pthread_atfork([] { working.lock(); }, release, release);
  });
}

// Signals. A synchronous training loop never lets Node run its own handlers, so the first SIGINT or SIGTERM is only noted
// here for the loop to see; the second ends the process at once.
volatile std::sig_atomic_t pending = 0;
timespec pendingSince;

// One press of Ctrl-C under `npm run` arrives twice, from the terminal and forwarded by npm: that is still the first.
constexpr double kSamePressSeconds = 0.3;

void note(int signal) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (pending == 0) {
    pendingSince = now;
    pending = signal;
    return;
  }
  double elapsed = static_cast<double>(now.tv_sec - pendingSince.tv_sec) + 1e-9 * (now.tv_nsec - pendingSince.tv_nsec);
  if (signal != pending || elapsed > kSamePressSeconds) _exit(128 + signal);
}

std::mutex watching;
int watchers = 0;
struct sigaction previousInterrupt, previousTerminate;

// watchSignals(): watches may overlap; the first installs the handler and the last restores what was there before.
Napi::Value watchSignals(const Napi::CallbackInfo& info) {
  std::lock_guard<std::mutex> lock(watching);
  if (watchers++ > 0) return info.Env().Undefined();
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  // Neither interrupts the other's handler: both write `pending`.
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  pending = 0;
  sigaction(SIGINT, &action, &previousInterrupt);
  sigaction(SIGTERM, &action, &previousTerminate);
  return info.Env().Undefined();
}

Napi::Value unwatchSignals(const Napi::CallbackInfo& info) {
  std::lock_guard<std::mutex> lock(watching);
  if (watchers == 0 || --watchers > 0) return info.Env().Undefined();
  sigaction(SIGINT, &previousInterrupt, nullptr);
  sigaction(SIGTERM, &previousTerminate, nullptr);
  return info.Env().Undefined();
}

// pendingSignal() → 0, SIGINT or SIGTERM
Napi::Value pendingSignal(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<int>(pending));
}

}  // namespace

std::shared_lock<std::shared_mutex> computing() { return std::shared_lock<std::shared_mutex>(working); }

void watchWarnings(Environment& environment) {
  // LibTorch keeps one handler a thread, and an environment lives on one thread.
  environment.warningHandler = std::make_unique<Collector>(environment);
  compat::setWarningHandler(environment.warningHandler.get());
  environment.env.AddCleanupHook([]() { compat::setWarningHandler(nullptr); });
}

// The same run gives the same bits on a GPU too, and fp32 is fp32: LibTorch's defaults let cuDNN choose algorithms that add
// in any order, and multiply "fp32" in TF32's 10 bits.
void makeCudaExact() {
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
}

void exportRuntime(Napi::Env env, Napi::Object exports) {
  guardForks();
  makeCudaExact();
  exports.Set("torchVersion", Napi::String::New(env, TORCH_VERSION));
  exports.Set("cudaDevices", Napi::Number::New(env, static_cast<double>(torch::cuda::device_count())));
  exports.Set("takeWarnings", Napi::Function::New(env, takeWarnings));
  exports.Set("manualSeed", Napi::Function::New(env, manualSeed));
  exports.Set("getThreads", Napi::Function::New(env, getThreads));
  exports.Set("setThreads", Napi::Function::New(env, setThreads));
  exports.Set("synchronize", Napi::Function::New(env, synchronize));
  exports.Set("tuneAllocator", Napi::Function::New(env, tuneAllocator));
  exports.Set("watchSignals", Napi::Function::New(env, watchSignals));
  exports.Set("unwatchSignals", Napi::Function::New(env, unwatchSignals));
  exports.Set("pendingSignal", Napi::Function::New(env, pendingSignal));
}

}  // namespace anatomy
