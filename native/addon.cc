#include "addon.h"

namespace anatomy {

Environment& environmentOf(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void throwTensorError(Napi::Env env, const char* code, const std::string& message) {
  Environment& environment = environmentOf(env);
  if (environment.tensorError.IsEmpty()) throw Napi::Error::New(env, message);
  Napi::Value error = environment.tensorError.New({Napi::String::New(env, message), Napi::String::New(env, code)});
  throw Napi::Error(env, error);
}

// initialize(TensorError): the error class is TypeScript's, so that `instanceof` works.
Napi::Value initialize(const Napi::CallbackInfo& info) {
  environmentOf(info.Env()).tensorError = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Object load(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment(env);
  env.SetInstanceData<Environment>(environment);
  watchWarnings(*environment);
  exports.Set("initialize", Napi::Function::New(env, initialize));
  exportTensor(env, exports);
  exportOperators(env, exports);
  exportAutograd(env, exports);
  exportRuntime(env, exports);
  return exports;
}

NODE_API_MODULE(anatomy, load)

}  // namespace anatomy
