// State of one JavaScript environment (main thread or worker) and what the translation units share.
#pragma once

#define NAPI_VERSION 9
// A worker that is being terminated cannot take an exception any more: without this, throwing one aborts the process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <napi.h>

#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace anatomy {

// One per environment; LibTorch's own globals (generator, threads, allocator) stay process-wide.
struct Environment {
  explicit Environment(Napi::Env environment) : env(environment) {}
  Napi::Env env;
  Napi::FunctionReference tensorError;  // class TensorError(message, code), from TypeScript
  struct Operator {
    c10::OperatorHandle handle;
    bool writes;    // changes an argument in place
    bool mapsFile;  // aten::from_file, which `mapFile` replaces
  };
  std::vector<Operator> operators;
  std::unique_ptr<c10::WarningHandler> warningHandler;
  std::vector<std::string> warnings;  // TORCH_WARN texts not yet collected
  int64_t liveTensors = 0;
  int64_t collectedTensors = 0;  // that nobody released: the garbage collector did
  // Tensor handles per storage, so that a storage shared by views is reported to V8 once.
  struct Reported {
    int64_t handles;
    int64_t bytes;
  };
  std::unordered_map<const void*, Reported> storages;
  int64_t heldBytes = 0;  // by all handles, each storage counted once
  int64_t toldBytes = 0;  // what V8 knows of it
};

// Shared with every handle, so that it outlives them all, in whatever order Node finalises at the end of a worker.
const std::shared_ptr<Environment>& environmentOf(Napi::Env env);

// Large CPU tensors get memory that is kept for the next ones of their size. Once for the process.
void keepLargeBlocks();

// Throws TypeScript's TensorError. `code` says what kind: libtorch, freed, foreign, argument.
[[noreturn]] void throwTensorError(Napi::Env env, const char* code, const std::string& message);

// LibTorch's own words, without the C++ traces that some of its paths leave in the text.
std::string ownWords(const std::exception& error);

// Runs an entry point: whatever C++ throws becomes a TensorError with LibTorch's own words and without its C++ trace.
template <typename Body>
Napi::Value guarded(const Napi::CallbackInfo& info, Body body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throwTensorError(info.Env(), "libtorch", ownWords(error));
  } catch (...) {
    throwTensorError(info.Env(), "libtorch", "LibTorch threw something that is not a C++ exception");
  }
}

// Held while LibTorch computes, so that no other thread starts a process meanwhile (runtime.cc says why).
std::shared_lock<std::shared_mutex> computing();

// tensor.cc
Napi::Value wrapTensor(Napi::Env env, at::Tensor tensor);
at::Tensor& unwrapTensor(Napi::Env env, Napi::Value value);
bool isTensorHandle(Napi::Env env, Napi::Value value);
// Corrects what V8 was told after an operator gave the tensor another storage (set_data) or resized it.
void accountAgain(Napi::Env env, Napi::Value value);
at::ScalarType parseDtype(Napi::Env env, const std::string& name);
at::Device parseDevice(Napi::Env env, const std::string& name);
void exportTensor(Napi::Env env, Napi::Object exports);

// A string, or TensorError: `what` names the argument.
std::string toText(Napi::Env env, const Napi::Value& value, const char* what);

// mapping.cc
// The first `count` values of a regular file that is at least so long, as a tensor [count]. Unless `shared`, what is
// written to it does not reach the file. LibTorch's own from_file makes a file that is absent, of any size asked for.
at::Tensor mapFile(Napi::Env env, const std::string& path, bool shared, int64_t count, at::ScalarType dtype);

// operators.cc
void exportOperators(Napi::Env env, Napi::Object exports);

// autograd.cc
void exportAutograd(Napi::Env env, Napi::Object exports);

// distributed.cc
// What processes that compute together do with a tensor of each.
struct Collectives {
  virtual ~Collectives() = default;
  // Those of all, in the order of the processes.
  virtual std::vector<at::Tensor> gather(const at::Tensor& tensor) = 0;
  // Adds them up, in place.
  virtual void sum(const at::Tensor& tensor) = 0;
};
Collectives& collectivesOf(const Napi::Value& group);
void exportDistributed(Napi::Env env, Napi::Object exports);

// logistic.cc
void exportLogistic(Napi::Env env, Napi::Object exports);

// normRelu.cc
void exportNormRelu(Napi::Env env, Napi::Object exports);

// packed.cc
void exportPacked(Napi::Env env, Napi::Object exports);

// patchSums.cc
void exportPatchSums(Napi::Env env, Napi::Object exports);

// runtime.cc
void exportRuntime(Napi::Env env, Napi::Object exports);
void watchWarnings(Environment& environment);

}  // namespace anatomy
