// The entrance of the addon: it registers the functions of all other files in native/.
#include "addon.h"

#include <c10/util/Logging.h>

#include <mutex>

namespace anatomy {

const std::shared_ptr<Environment>& environmentOf(Napi::Env env) {
  return *env.GetInstanceData<std::shared_ptr<Environment>>();
}

std::string ownWords(const std::exception& error) {
  auto* torch = dynamic_cast<const c10::Error*>(&error);
  std::string words = torch != nullptr ? torch->msg() : error.what();
  words = words.substr(0, words.find("\nException raised from "));
  // An operator without a kernel for the device comes with the C++ source lines of all that have one.
  size_t registrations = words.find(": registered at ");
  return registrations == std::string::npos ? words : words.substr(0, words.rfind("\n\n", registrations));
}

void throwTensorError(Napi::Env env, const char* code, const std::string& message) {
  const Environment& environment = *environmentOf(env);
  if (environment.tensorError.IsEmpty()) throw Napi::Error::New(env, message);
  Napi::Value error = environment.tensorError.New({Napi::String::New(env, message), Napi::String::New(env, code)});
  throw Napi::Error(env, error);
}

// initialize(TensorError): the error class is TypeScript's, so that `instanceof` works.
Napi::Value initialize(const Napi::CallbackInfo& info) {
  environmentOf(info.Env())->tensorError = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Object load(Napi::Env env, Napi::Object exports) {
  auto* environment = new std::shared_ptr<Environment>(std::make_shared<Environment>(env));
  env.SetInstanceData<std::shared_ptr<Environment>>(environment);
  watchWarnings(**environment);
  // The C++ stack of an error takes LibTorch milliseconds to write, and `ownWords` leaves it out.
  static std::once_flag once;
  std::call_once(once, [] { c10::SetStackTraceFetcher([]() -> std::string { return {}; }); });
  try {
    exports.Set("initialize", Napi::Function::New(env, initialize));
    exportTensor(env, exports);
    exportOperators(env, exports);
    exportAutograd(env, exports);
    exportDistributed(env, exports);
    exportLogistic(env, exports);
    exportNormRelu(env, exports);
    exportPacked(env, exports);
    exportPatchSums(env, exports);
    exportRuntime(env, exports);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {  // e.g. LibTorch's first look at the CUDA driver
    throw Napi::Error::New(env, ownWords(error));
  }
  return exports;
}

NODE_API_MODULE(anatomy, load)

}  // namespace anatomy
