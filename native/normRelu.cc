// Batch norm, with the ReLU and the max-pool after it, as one node of the graph, for maps in channels-last order on the CPU.
// It keeps its input alone for the backward pass, and all sums come in one order, whatever the number of threads.
#include "addon.h"
#include "maps.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/generated/Functions.h>
#include <torch/csrc/autograd/saved_variable_hooks.h>

namespace anatomy {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

int64_t blocksOf(const kernels::Shape& shape) {
  const int64_t pixels = kernels::pixelsOfBlock(shape.channels);
  return (shape.rows() + pixels - 1) / pixels;
}

int64_t bandsOf(const kernels::Shape& shape) { return shape.images * shape.bands(); }

// Number of values, mean and biased variance of each channel, f64.
struct Statistics {
  double count;
  at::Tensor mean, variance;
};

Statistics statisticsOf(const at::Tensor& x) {
  const auto shape = shapeOf(x);
  const int64_t blocks = blocksOf(shape), channels = shape.channels, pixels = kernels::pixelsOfBlock(channels);
  at::Tensor parts = at::empty({2, blocks, channels}, at::kFloat);
  float *means = parts.data_ptr<float>(), *spreads = means + blocks * channels;
  onThreads(blocks, [&](int64_t first, int64_t last) { kernels::statistics(shape, x.data_ptr(), means, spreads, first, last); });
  Statistics all{static_cast<double>(shape.rows()), at::zeros({channels}, at::kDouble), at::zeros({channels}, at::kDouble)};
  double *mean = all.mean.data_ptr<double>(), *variance = all.variance.data_ptr<double>();
  auto countOf = [&](int64_t block) { return static_cast<double>(std::min(pixels, shape.rows() - block * pixels)); };
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t c = 0; c < channels; ++c) mean[c] += countOf(block) / all.count * means[block * channels + c];
  }
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t c = 0; c < channels; ++c) {
      const double off = means[block * channels + c] - mean[c];
      variance[c] += (spreads[block * channels + c] + countOf(block) * off * off) / all.count;
    }
  }
  return all;
}

// Of all processes' values together.
Statistics together(const Statistics& own, Collectives& others) {
  const int64_t channels = own.mean.numel();
  at::Tensor all = at::stack(others.gather(at::cat({at::full({1}, own.count, at::kDouble), own.mean, own.variance})));
  at::Tensor counts = all.narrow(1, 0, 1), means = all.narrow(1, 1, channels), variances = all.narrow(1, 1 + channels, channels);
  at::Tensor count = counts.sum();
  at::Tensor mean = (counts * means).sum(0) / count;
  return {count.item<double>(), mean, (counts * (variances + (means - mean).square())).sum(0) / count};
}

struct Settings {
  // The batch's statistics normalise, and go into the running ones, if these are defined; else the running ones normalise.
  bool training;
  at::Tensor runningMean, runningVariance;
  double momentum, epsilon;
  bool relu, pool;
  // The processes whose batches count as one; null: this one alone.
  Collectives* others;
};

struct NormRelu : torch::autograd::Function<NormRelu> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                               const Settings& settings) {
    c10::impl::ExcludeDispatchKeyGuard plain(c10::autocast_dispatch_keyset);
    const auto shape = shapeOf(x);
    Statistics statistics{0, settings.runningMean, settings.runningVariance};
    if (settings.training) {
      statistics = statisticsOf(x);
      if (settings.others != nullptr) statistics = together(statistics, *settings.others);
      if (settings.runningMean.defined()) {
        const double factor = statistics.count / (statistics.count - 1);
        settings.runningMean.mul_(1 - settings.momentum).add_(statistics.mean, settings.momentum);
        settings.runningVariance.mul_(1 - settings.momentum).add_(statistics.variance, settings.momentum * factor);
      }
    }
    at::Tensor mean = statistics.mean.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    at::Tensor inverse = (statistics.variance.to(at::kDouble) + settings.epsilon).rsqrt().to(at::kFloat);
    at::Tensor scale = inverse * weight;
    at::Tensor shift = bias - mean * scale;
    variable_list outputs = outputsOf(x, scale, shift, settings.relu, settings.pool);
    context->save_for_backward({x, scale, shift, mean, inverse});
    context->saved_data["training"] = settings.training;
    context->saved_data["relu"] = settings.relu;
    context->saved_data["pool"] = settings.pool;
    context->saved_data["count"] = statistics.count;
    context->saved_data["others"] = reinterpret_cast<int64_t>(settings.others);
    // A map that only its pool, or only a loss, reads has no gradient of zeros.
    context->set_materialize_grads(false);
    return outputs;
  }

  static variable_list outputsOf(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, bool relu, bool pool) {
    const auto shape = shapeOf(x);
    const kernels::Line line{scale.data_ptr<float>(), shift.data_ptr<float>()};
    at::Tensor y = at::empty_like(x);
    if (!pool) {
      onThreads(blocksOf(shape), [&](int64_t first, int64_t last) {
        kernels::normalize(shape, line, relu, x.data_ptr(), y.data_ptr(), first, last);
      });
      return {y};
    }
    at::Tensor pooled = at::empty({shape.images, shape.channels, shape.height / 2, shape.width / 2},
                                  x.options().memory_format(at::MemoryFormat::ChannelsLast));
    onThreads(bandsOf(shape), [&](int64_t first, int64_t last) {
      kernels::normalizeAndPool(shape, line, x.data_ptr(), y.data_ptr(), pooled.data_ptr(), first, last);
    });
    return {y, pooled};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    c10::impl::ExcludeDispatchKeyGuard plain(c10::autocast_dispatch_keyset);
    auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &scale = saved[1], &shift = saved[2], &mean = saved[3], &inverse = saved[4];
    auto* others = reinterpret_cast<Collectives*>(context->saved_data["others"].toInt());
    const bool training = context->saved_data["training"].toBool();
    const auto shape = shapeOf(x);
    auto alike = [&](const at::Tensor& gradient) {
      return gradient.defined() ? gradient.to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast) : gradient;
    };
    at::Tensor ofOutput = alike(gradients[0]), ofPool = gradients.size() > 1 ? alike(gradients[1]) : at::Tensor();
    if (!ofOutput.defined() && !ofPool.defined()) ofOutput = at::zeros_like(x);
    const kernels::Line line{scale.data_ptr<float>(), shift.data_ptr<float>()};
    const kernels::Gradients of{ofOutput.defined() ? ofOutput.data_ptr() : nullptr,
                                ofPool.defined() ? ofPool.data_ptr() : nullptr, context->saved_data["relu"].toBool()};
    const int64_t parts = ofPool.defined() ? bandsOf(shape) : blocksOf(shape), channels = shape.channels;
    at::Tensor partial = at::empty({parts, 2, channels}, at::kFloat);
    float* sums = partial.data_ptr<float>();
    onThreads(parts, [&](int64_t first, int64_t last) {
      kernels::gradientSums(shape, line, mean.data_ptr<float>(), of, x.data_ptr(), sums, first, last);
    });
    at::Tensor own = at::zeros({2, channels}, at::kDouble);
    double* total = own.data_ptr<double>();
    for (int64_t part = 0; part < parts; ++part) {
      for (int64_t i = 0; i < 2 * channels; ++i) total[i] += sums[part * 2 * channels + i];
    }
    at::Tensor ofWeight = (own[1] * inverse).to(at::kFloat), ofBias = own[0].to(at::kFloat);
    // What comes through the statistics: dx = γ / √(σ² + ε) · (g − mean of g − (x − μ) · mean of g · (x − μ) / (σ² + ε)).
    at::Tensor corrections = at::zeros({2, channels}, at::kFloat);
    if (training) {
      at::Tensor all = own.clone();
      if (others != nullptr) others->sum(all);
      all.div_(context->saved_data["count"].toDouble());
      all[1].mul_(inverse).mul_(inverse);
      corrections = all.to(at::kFloat);
    }
    const float* middle = corrections.data_ptr<float>();
    const kernels::Correction correction{mean.data_ptr<float>(), middle, middle + channels};
    at::Tensor ofX = at::empty_like(x);
    onThreads(parts, [&](int64_t first, int64_t last) {
      kernels::inputGradient(shape, line, correction, of, x.data_ptr(), ofX.data_ptr(), first, last);
    });
    return {ofX, ofWeight, ofBias, at::Tensor()};
  }
};

// In place of an output of this node that a convolution keeps for its backward pass: what it is computed from again.
class Recomputed : public torch::autograd::SavedVariableHooks {
 public:
  Recomputed(std::shared_ptr<torch::autograd::Node> node, size_t output) : node_(std::move(node)), output_(output) {}
  void call_pack_hook(const at::Tensor&) override {}
  at::Tensor call_unpack_hook() override {
    at::NoGradGuard noGrad;
    AutogradContext& context = static_cast<torch::autograd::CppNode<NormRelu>&>(*node_).ctx_;
    const auto saved = context.get_saved_variables();
    return NormRelu::outputsOf(saved[0], saved[1], saved[2], context.saved_data["relu"].toBool(),
                               context.saved_data["pool"].toBool())[output_];
  }

 private:
  std::shared_ptr<torch::autograd::Node> node_;
  size_t output_;
};

// recomputeInput(y, z): where z is a convolution of an output y of `normRelu`, its backward pass computes y again, to the
// bit, and does not keep it. → whether it does so
Napi::Value recomputeInput(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    const at::Tensor &y = unwrapTensor(env, info[0]), &z = unwrapTensor(env, info[1]);
    auto* convolution = dynamic_cast<torch::autograd::generated::ConvolutionBackward0*>(z.grad_fn().get());
    const bool known = dynamic_cast<torch::autograd::CppNode<NormRelu>*>(y.grad_fn().get()) != nullptr;
    if (convolution == nullptr || !known) return Napi::Boolean::New(env, false);
    convolution->input_.register_hooks(std::make_unique<Recomputed>(y.grad_fn(), y.output_nr()));
    return Napi::Boolean::New(env, true);
  });
}

bool isVector(const at::Tensor& x, int64_t channels) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 1 && x.numel() == channels && x.is_contiguous();
}

// normRelu(x, weight, bias, runningMean | null, runningVariance | null, { training, momentum, epsilon, relu, pool }, group |
// null) → [output] or [output, pooled], or null where the maps are none that the kernels take
Napi::Value normRelu(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto tensor = [&](int i) { return info[i].IsNull() ? at::Tensor() : unwrapTensor(env, info[i]); };
    const at::Tensor x = tensor(0), weight = tensor(1), bias = tensor(2), mean = tensor(3), variance = tensor(4);
    if (!isMap(x)) return env.Null();
    for (const at::Tensor& one : {weight, bias, mean, variance}) {
      if (one.defined() && !isVector(one, x.size(1))) return env.Null();
    }
    auto options = info[5].As<Napi::Object>();
    auto flag = [&](const char* name) { return options.Get(name).ToBoolean().Value(); };
    auto number = [&](const char* name) { return options.Get(name).ToNumber().DoubleValue(); };
    const Settings settings{flag("training"), mean, variance, number("momentum"), number("epsilon"), flag("relu"), flag("pool"),
                            info[6].IsNull() ? nullptr : &collectivesOf(info[6])};
    if (settings.pool && (x.size(2) < 2 || x.size(3) < 2)) return env.Null();
    auto lock = computing();
    auto made = NormRelu::apply(x, weight, bias, settings);
    lock.unlock();
    Napi::Array results = Napi::Array::New(env, made.size());
    for (uint32_t i = 0; i < made.size(); ++i) results.Set(i, wrapTensor(env, made[i]));
    return results;
  });
}

}  // namespace

void exportNormRelu(Napi::Env env, Napi::Object exports) {
  exports.Set("recomputeInput", Napi::Function::New(env, recomputeInput));
  exports.Set("normRelu", Napi::Function::New(env, normRelu));
}

}  // namespace anatomy
