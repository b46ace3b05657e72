// Convolutions without gradient whose weights oneDNN has brought into its own order once, with a ReLU in the same pass over
// the output. LibTorch keeps them as `mkldnn_prepacked`, which TorchScript's optimiser uses.
#include "addon.h"

#include <ATen/core/dispatch/Dispatcher.h>

namespace anatomy {
namespace {

// A C++ object of LibTorch's, which only its operator can use.
using Packed = c10::IValue;

auto find(const char* name) { return c10::Dispatcher::singleton().findSchema({name, ""}); }

Packed& packedOf(const Napi::Value& value) { return *value.As<Napi::External<Packed>>().Data(); }

// packConvolution(weight, bias | null, stride, padding, shape of the input, relu) → packed, or null where LibTorch has none
// for such weights
Napi::Value packConvolution(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    const at::Tensor& weight = unwrapTensor(env, info[0]);
    static const auto pack = find("mkldnn_prepacked::conv2d_prepack");
    const auto dtype = weight.scalar_type();
    const bool known = dtype == at::kFloat || dtype == at::kBFloat16;
    if (!pack || !weight.is_cpu() || !known || !at::globalContext().userEnabledMkldnn()) return env.Null();
    auto integers = [&](const Napi::Value& value) {
      auto array = value.As<Napi::Array>();
      c10::List<int64_t> list;
      for (uint32_t i = 0; i < array.Length(); ++i) list.push_back(array.Get(i).ToNumber().Int64Value());
      return list;
    };
    at::NoGradGuard noGrad;
    auto lock = computing();
    std::vector<c10::IValue> stack{weight.detach()};
    stack.emplace_back(info[1].IsNull() ? c10::IValue() : c10::IValue(unwrapTensor(env, info[1]).detach()));
    stack.emplace_back(integers(info[2]));
    stack.emplace_back(integers(info[3]));
    stack.emplace_back(c10::List<int64_t>({1, 1}));
    stack.emplace_back(int64_t{1});
    stack.emplace_back(integers(info[4]));
    stack.emplace_back(std::string(info[5].ToBoolean().Value() ? "relu" : "none"));
    // A LibTorch that takes other arguments, or a processor without the kernel, goes on with `conv2d`.
    try {
      pack->callBoxed(&stack);
    } catch (const c10::Error&) {
      return env.Null();
    }
    return Napi::External<Packed>::New(env, new Packed(std::move(stack[0])), [](Napi::Env, Packed* old) { delete old; });
  });
}

// runPacked(packed, input) → output
Napi::Value runPacked(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    static const auto run = find("mkldnn_prepacked::conv2d_run");
    at::NoGradGuard noGrad;
    auto lock = computing();
    std::vector<c10::IValue> stack{unwrapTensor(info.Env(), info[1]), packedOf(info[0])};
    run->callBoxed(&stack);
    lock.unlock();
    return wrapTensor(info.Env(), stack[0].toTensor());
  });
}

// freePacked(packed): gives its memory back now.
Napi::Value freePacked(const Napi::CallbackInfo& info) {
  packedOf(info[0]) = Packed();
  return info.Env().Undefined();
}

}  // namespace

void exportPacked(Napi::Env env, Napi::Object exports) {
  exports.Set("packConvolution", Napi::Function::New(env, packConvolution));
  exports.Set("runPacked", Napi::Function::New(env, runPacked));
  exports.Set("freePacked", Napi::Function::New(env, freePacked));
}

}  // namespace anatomy
