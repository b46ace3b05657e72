// The differences between LibTorch 1.13 and 2.x, in one place.
#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/function_schema.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#include <optional>
#include <string>

#define ANATOMY_TORCH_2 (TORCH_VERSION_MAJOR >= 2)
// Autocast functions that take the device came with 2.4.
#define ANATOMY_AUTOCAST_BY_DEVICE (TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4))

namespace anatomy::compat {

inline void setWarningHandler(c10::WarningHandler* handler) {
#if ANATOMY_TORCH_2
  c10::WarningUtils::set_warning_handler(handler);
#else
  c10::Warning::set_warning_handler(handler);
#endif
}

// LibTorch 1.13 passes a warning to `process` in pieces, 2.x as an object.
class WarningSink : public c10::WarningHandler {
 public:
  virtual void warn(const std::string& message) = 0;
#if ANATOMY_TORCH_2
  void process(const c10::Warning& warning) override { warn(warning.msg()); }
#else
  void process(const c10::SourceLocation&, const std::string& message, const bool) override { warn(message); }
#endif
};

struct AutocastState {
  bool enabled;
  at::ScalarType dtype;
};

inline AutocastState autocastState(at::DeviceType device) {
#if ANATOMY_AUTOCAST_BY_DEVICE
  return {at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device)};
#else
  if (device == at::kCPU) return {at::autocast::is_cpu_enabled(), at::autocast::get_autocast_cpu_dtype()};
  return {at::autocast::is_enabled(), at::autocast::get_autocast_gpu_dtype()};
#endif
}

inline void setAutocastState(at::DeviceType device, AutocastState state) {
#if ANATOMY_AUTOCAST_BY_DEVICE
  at::autocast::set_autocast_dtype(device, state.dtype);
  at::autocast::set_autocast_enabled(device, state.enabled);
#else
  if (device == at::kCPU) {
    at::autocast::set_autocast_cpu_dtype(state.dtype);
    at::autocast::set_cpu_enabled(state.enabled);
  } else {
    at::autocast::set_autocast_gpu_dtype(state.dtype);
    at::autocast::set_enabled(state.enabled);
  }
#endif
}

}  // namespace anatomy::compat
