// Gradients, gradient mode and autocast.
#include "addon.h"
#include "compat.h"

#include <torch/csrc/autograd/autograd.h>

namespace anatomy {
namespace {

std::vector<at::Tensor> unwrapAll(Napi::Env env, const Napi::Value& value) {
  std::vector<at::Tensor> tensors;
  if (value.IsNull() || value.IsUndefined()) return tensors;
  if (!value.IsArray()) throwTensorError(env, "argument", "expected an array of tensors");
  auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) tensors.push_back(unwrapTensor(env, array.Get(i)));
  return tensors;
}

// backward(handles, gradients | null, retainGraph)
Napi::Value backward(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto outputs = unwrapAll(env, info[0]);
    auto gradients = unwrapAll(env, info[1]);
    auto lock = computing();
    torch::autograd::backward(outputs, gradients, info[2].ToBoolean().Value());
    return env.Undefined();
  });
}

// grad(outputs, inputs, gradients | null, retainGraph) → handle or null (not reached) for each input
Napi::Value grad(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto outputs = unwrapAll(env, info[0]);
    auto inputs = unwrapAll(env, info[1]);
    auto outer = unwrapAll(env, info[2]);
    auto lock = computing();
    auto gradients = torch::autograd::grad(outputs, inputs, outer, info[3].ToBoolean().Value(),
                                           /*create_graph=*/false, /*allow_unused=*/true);
    lock.unlock();
    Napi::Array results = Napi::Array::New(env, gradients.size());
    for (uint32_t i = 0; i < gradients.size(); ++i) {
      results.Set(i, gradients[i].defined() ? wrapTensor(env, gradients[i]) : env.Null());
    }
    return results;
  });
}

Napi::Value gradOf(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const at::Tensor& gradient = unwrapTensor(info.Env(), info[0]).grad();
    return gradient.defined() ? wrapTensor(info.Env(), gradient) : info.Env().Null();
  });
}

// setGrad(handle, handle | null)
Napi::Value setGrad(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    at::Tensor& tensor = unwrapTensor(env, info[0]);
    at::Tensor gradient;
    if (!info[1].IsNull()) {
      gradient = unwrapTensor(env, info[1]);
      // LibTorch itself takes anything here and fails much later, in the next backward pass or optimiser step.
      if (gradient.sizes() != tensor.sizes() || gradient.scalar_type() != tensor.scalar_type() ||
          gradient.device() != tensor.device()) {
        auto describe = [](const at::Tensor& x) {
          return c10::str(x.scalar_type(), " ", x.sizes(), " on ", x.device());
        };
        throwTensorError(env, "argument", "grad is " + describe(gradient) + ", the tensor " + describe(tensor));
      }
    }
    tensor.mutable_grad() = gradient;
    return env.Undefined();
  });
}

Napi::Value requiresGrad(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    return Napi::Boolean::New(info.Env(), unwrapTensor(info.Env(), info[0]).requires_grad());
  });
}

Napi::Value setRequiresGrad(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    unwrapTensor(info.Env(), info[0]).requires_grad_(info[1].ToBoolean().Value());
    return info.Env().Undefined();
  });
}

// setGradMode(enabled) → previous
Napi::Value setGradMode(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    bool previous = at::GradMode::is_enabled();
    bool enabled = info[0].ToBoolean().Value();
    at::GradMode::set_enabled(enabled);
    // Weights that autocast cast and cached without recording have no graph: reused, their gradients would be lost.
    if (enabled && !previous) at::autocast::clear_cache();
    return Napi::Boolean::New(info.Env(), previous);
  });
}

// enterAutocast(device, dtype | null) → token for leaveAutocast. A null dtype switches autocast off inside the scope.
Napi::Value enterAutocast(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    const std::string name = toText(env, info[0], "autocast: device");
    at::DeviceType device = parseDevice(env, name).type();
    if (device != at::kCPU && device != at::kCUDA) {
      throwTensorError(env, "argument",
                       "autocast: device is " + name + ", expected cpu or cuda");
    }
    compat::AutocastState previous = compat::autocastState(device);
    compat::AutocastState next = previous;
    next.enabled = !info[1].IsNull();
    if (next.enabled) {
      next.dtype = parseDtype(env, toText(env, info[1], "autocast: dtype"));
      // LibTorch 2.x takes any dtype, and matrix products in integers would follow.
      if (next.dtype != at::kBFloat16 && next.dtype != at::kHalf) {
        throwTensorError(env, "argument",
                         "autocast: dtype is " + info[1].As<Napi::String>().Utf8Value() + ", expected bf16 or f16");
      }
    }
    compat::setAutocastState(device, next);
    at::autocast::increment_nesting();
    Napi::Object token = Napi::Object::New(env);
    token.Set("device", info[0]);
    token.Set("enabled", Napi::Boolean::New(env, previous.enabled));
    token.Set("dtype", Napi::Number::New(env, static_cast<double>(previous.dtype)));
    return token;
  });
}

Napi::Value leaveAutocast(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto token = info[0].As<Napi::Object>();
    at::DeviceType device = parseDevice(env, token.Get("device").As<Napi::String>()).type();
    // The outermost scope drops the cached low-precision weights: they are stale once the optimiser has stepped.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    compat::setAutocastState(device, {token.Get("enabled").ToBoolean().Value(),
                                      static_cast<at::ScalarType>(token.Get("dtype").ToNumber().Int32Value())});
    return env.Undefined();
  });
}

}  // namespace

void exportAutograd(Napi::Env env, Napi::Object exports) {
  exports.Set("backward", Napi::Function::New(env, backward));
  exports.Set("grad", Napi::Function::New(env, grad));
  exports.Set("gradOf", Napi::Function::New(env, gradOf));
  exports.Set("setGrad", Napi::Function::New(env, setGrad));
  exports.Set("requiresGrad", Napi::Function::New(env, requiresGrad));
  exports.Set("setRequiresGrad", Napi::Function::New(env, setRequiresGrad));
  exports.Set("setGradMode", Napi::Function::New(env, setGradMode));
  exports.Set("enterAutocast", Napi::Function::New(env, enterAutocast));
  exports.Set("leaveAutocast", Napi::Function::New(env, leaveAutocast));
}

}  // namespace anatomy
