// What lies between tensors and the kernels over maps.
#pragma once

#include "mapKernels.h"

#include <ATen/ATen.h>
#include <ATen/TensorIterator.h>

namespace anatomy {

// Whether the kernels take it.
inline bool isMap(const at::Tensor& x) {
  return x.dim() == 4 && x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) &&
         x.size(1) % kernels::kChannels == 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

inline kernels::Shape shapeOf(const at::Tensor& x) {
  return {x.size(0), x.size(2), x.size(3), x.size(1), x.scalar_type() == at::kBFloat16};
}

// Runs body(first, last) over all parts on LibTorch's own threads. at::parallel_for would compile OpenMP into the addon,
// and a LibTorch from a wheel brings one of its own.
template <typename Body>
void onThreads(int64_t parts, const Body& body) {
  if (parts == 0) return;
  at::Tensor places = at::empty({parts}, at::kByte);
  const char* start = static_cast<const char*>(places.data_ptr());
  auto iterator = at::TensorIterator::nullary_op(places);
  iterator.for_each([&](char** data, const int64_t*, int64_t count) { body(data[0] - start, data[0] - start + count); },
                    /*grain_size=*/1);
}

}  // namespace anatomy
