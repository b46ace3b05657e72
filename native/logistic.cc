// The loss of a logistic regression and its gradient, in one pass over the features.
#include "addon.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace anatomy {
namespace {

// Half a cache line, so that all processors sum in the same order.
constexpr int64_t kLanes = 4;
// Rows that go through the weights together. Their sums do not wait for each other, and they are still in the cache when
// they go into the gradient.
constexpr int64_t kRows = 8;
using Lanes = double __attribute__((vector_size(8 * kLanes)));

#if defined(__x86_64__)
#define BY_PROCESSOR __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define BY_PROCESSOR
#endif

// logits[r, k] = x_r · W_k + b_k of the first `count` rows at x; the others repeat the first.
BY_PROCESSOR void logitsOf(const double* x, int64_t count, int64_t d, const double* weights, const double* bias,
                           int64_t outputs, double* logits) {
  const double* row[kRows];
  for (int64_t r = 0; r < kRows; ++r) row[r] = x + (r < count ? r : 0) * d;
  for (int64_t k = 0; k < outputs; ++k) {
    const double* w = weights + k * d;
    Lanes sums[kRows] = {};
    int64_t j = 0;
    for (; j + kLanes <= d; j += kLanes) {
      Lanes weight, value;
      std::memcpy(&weight, w + j, sizeof weight);
      for (int64_t r = 0; r < kRows; ++r) {
        std::memcpy(&value, row[r] + j, sizeof value);
        sums[r] += value * weight;
      }
    }
    for (int64_t r = 0; r < count; ++r) {
      double sum = (sums[r][0] + sums[r][1]) + (sums[r][2] + sums[r][3]);
      for (int64_t rest = j; rest < d; ++rest) sum += row[r][rest] * w[rest];
      logits[r * outputs + k] = sum + bias[k];
    }
  }
}

// Adds Σ_r residuals[r, k] · x_r of the same rows to gradient_k. The residuals of rows after `count` are 0.
BY_PROCESSOR void addGradient(const double* x, int64_t count, int64_t d, const double* residuals, int64_t outputs,
                              double* gradient) {
  const double* row[kRows];
  for (int64_t r = 0; r < kRows; ++r) row[r] = x + (r < count ? r : 0) * d;
  for (int64_t k = 0; k < outputs; ++k) {
    double* g = gradient + k * d;
    double residual[kRows];
    for (int64_t r = 0; r < kRows; ++r) residual[r] = r < count ? residuals[r * outputs + k] : 0;
    int64_t j = 0;
    for (; j + kLanes <= d; j += kLanes) {
      Lanes value, even{}, odd{};
      for (int64_t r = 0; r < kRows; r += 2) {
        std::memcpy(&value, row[r] + j, sizeof value);
        even += residual[r] * value;
        std::memcpy(&value, row[r + 1] + j, sizeof value);
        odd += residual[r + 1] * value;
      }
      std::memcpy(&value, g + j, sizeof value);
      value += even + odd;
      std::memcpy(g + j, &value, sizeof value);
    }
    for (; j < d; ++j) {
      double sum = 0;
      for (int64_t r = 0; r < count; ++r) sum += residual[r] * row[r][j];
      g[j] += sum;
    }
  }
}

// −log P(label) of one sample. Its logits become P − [label], the gradient by each of them.
double sampleLoss(double* logits, int64_t outputs, uint32_t label) {
  if (outputs == 1) {
    const double margin = label == 1 ? logits[0] : -logits[0];
    const double odds = std::exp(-std::abs(margin));
    const double wrong = margin > 0 ? odds / (1 + odds) : 1 / (1 + odds);
    logits[0] = label == 1 ? -wrong : wrong;
    return std::max(0.0, -margin) + std::log1p(odds);
  }
  const double top = *std::max_element(logits, logits + outputs), own = logits[label];
  double total = 0;
  for (int64_t k = 0; k < outputs; ++k) total += logits[k] = std::exp(logits[k] - top);
  for (int64_t k = 0; k < outputs; ++k) logits[k] = logits[k] / total - (k == label ? 1 : 0);
  return top + std::log(total) - own;
}

// logisticLoss(x f64 [n, d], labels u32 [n], outputs, parameters f64 [outputs · (d + 1)], gradient, written) → Σ −log P(label).
// The parameters are the rows of W, then b. With one output there are two classes.
Napi::Value lossOf(const Napi::CallbackInfo& info) {
  const auto x = info[0].As<Napi::Float64Array>();
  const auto labels = info[1].As<Napi::Uint32Array>();
  const int64_t outputs = info[2].ToNumber().Int64Value(), n = labels.ElementLength();
  const auto parameters = info[3].As<Napi::Float64Array>();
  auto gradient = info[4].As<Napi::Float64Array>();
  const int64_t d = n == 0 ? 0 : x.ElementLength() / n;
  const int64_t size = outputs * (d + 1);
  if (int64_t(x.ElementLength()) != n * d || int64_t(parameters.ElementLength()) != size ||
      int64_t(gradient.ElementLength()) != size) {
    throwTensorError(info.Env(), "argument", "logisticLoss: the lengths of features, labels and parameters do not fit");
  }
  const uint32_t classes = outputs == 1 ? 2 : outputs;
  if (std::any_of(labels.Data(), labels.Data() + n, [&](uint32_t label) { return label >= classes; })) {
    throwTensorError(info.Env(), "argument", "logisticLoss: a label is not below the number of classes");
  }
  const double* weights = parameters.Data();
  double* into = gradient.Data();
  std::fill(into, into + size, 0.0);
  std::vector<double> logits(kRows * outputs);
  double loss = 0;
  for (int64_t first = 0; first < n; first += kRows) {
    const int64_t count = std::min(kRows, n - first);
    const double* rows = x.Data() + first * d;
    logitsOf(rows, count, d, weights, weights + outputs * d, outputs, logits.data());
    for (int64_t r = 0; r < count; ++r) {
      double* own = logits.data() + r * outputs;
      loss += sampleLoss(own, outputs, labels[first + r]);
      for (int64_t k = 0; k < outputs; ++k) into[outputs * d + k] += own[k];
    }
    addGradient(rows, count, d, logits.data(), outputs, into);
  }
  return Napi::Number::New(info.Env(), loss);
}

Napi::Value logisticLoss(const Napi::CallbackInfo& info) {
  return guarded(info, [&] { return lossOf(info); });
}

}  // namespace

void exportLogistic(Napi::Env env, Napi::Object exports) {
  exports.Set("logisticLoss", Napi::Function::New(env, logisticLoss));
}

}  // namespace anatomy
