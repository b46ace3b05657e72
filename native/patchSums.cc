// Sums over the patches of maps, Eq. 3 of the paper, as one node of the graph: one pass over the map each way, where
// LibTorch's operators cast it to f32, pool it, and pad the gradient with zeros in passes of their own.
#include "addon.h"
#include "maps.h"

#include <torch/csrc/autograd/custom_function.h>

namespace anatomy {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct PatchSums : torch::autograd::Function<PatchSums> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& map, int64_t from, int64_t count, int64_t rows,
                            int64_t columns) {
    c10::impl::ExcludeDispatchKeyGuard plain(c10::autocast_dispatch_keyset);
    const at::Tensor x = map.narrow(0, from, count);
    const auto shape = shapeOf(x);
    const kernels::Patches patches{rows, columns, shape.height / rows, shape.width / columns};
    at::Tensor sums = at::empty({count, shape.channels, rows, columns},
                                map.options().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
    onThreads(count * rows, [&](int64_t first, int64_t last) {
      kernels::patchSums(shape, patches, x.data_ptr(), sums.data_ptr<float>(), first, last);
    });
    context->saved_data["shape"] = map.sizes().vec();
    context->saved_data["half"] = shape.half;
    context->saved_data["from"] = from;
    return sums;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    c10::impl::ExcludeDispatchKeyGuard plain(c10::autocast_dispatch_keyset);
    const at::Tensor g = gradients[0].to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
    const int64_t from = context->saved_data["from"].toInt(), count = g.size(0), rows = g.size(2), columns = g.size(3);
    const auto dtype = context->saved_data["half"].toBool() ? at::kBFloat16 : at::kFloat;
    at::Tensor gx = at::empty(context->saved_data["shape"].toIntVector(),
                              g.options().dtype(dtype).memory_format(at::MemoryFormat::ChannelsLast));
    gx.narrow(0, 0, from).zero_();
    gx.narrow(0, from + count, gx.size(0) - from - count).zero_();
    at::Tensor own = gx.narrow(0, from, count);
    const auto shape = shapeOf(own);
    const kernels::Patches patches{rows, columns, shape.height / rows, shape.width / columns};
    onThreads(count * rows, [&](int64_t first, int64_t last) {
      kernels::spreadPatches(shape, patches, g.data_ptr<float>(), own.data_ptr(), first, last);
    });
    return {gx, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

// patchSums(map, first image, number of images, rows, columns) → [images, channels, rows, columns], or null where the map is
// none that the kernels take
Napi::Value patchSums(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    const at::Tensor& map = unwrapTensor(env, info[0]);
    auto number = [&](int i) { return info[i].ToNumber().Int64Value(); };
    if (!isMap(map) || map.numel() == 0) return env.Null();
    auto lock = computing();
    at::Tensor sums = PatchSums::apply(map, number(1), number(2), number(3), number(4));
    lock.unlock();
    return wrapTensor(env, sums);
  });
}

}  // namespace

void exportPatchSums(Napi::Env env, Napi::Object exports) {
  exports.Set("patchSums", Napi::Function::New(env, patchSums));
}

}  // namespace anatomy
