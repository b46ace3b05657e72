#include "mapKernels.h"

#include <algorithm>
#include <cstring>

#define INLINE inline __attribute__((always_inline))
// What is always inlined is never called, so that no calling convention for vectors matters.
#pragma GCC diagnostic ignored "-Wpsabi"

// One binary serves every processor of its kind. Vectors wider than its registers are taken apart, which is ten times slower
// than vectors that fit.
namespace anatomy::kernels {

#if defined(__x86_64__)
namespace avx512 {
#define LANES 16
#define TARGET __attribute__((target("arch=x86-64-v4")))
#include "mapLoops.h"
#undef TARGET
#undef LANES
}  // namespace avx512

namespace avx2 {
#define LANES 8
#define TARGET __attribute__((target("arch=x86-64-v3")))
#include "mapLoops.h"
#undef TARGET
#undef LANES
}  // namespace avx2
#endif

namespace plain {
#define LANES 4
#define TARGET
#include "mapLoops.h"
#undef TARGET
#undef LANES
}  // namespace plain

namespace {

#if defined(__x86_64__)
enum class Kind { plain, avx2, avx512 };
Kind kindOfProcessor() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return Kind::avx512;
  return __builtin_cpu_supports("x86-64-v3") ? Kind::avx2 : Kind::plain;
}
const Kind kind = kindOfProcessor();
#define BY_PROCESSOR(call) \
  return kind == Kind::avx512 ? avx512::call : kind == Kind::avx2 ? avx2::call : plain::call
#else
#define BY_PROCESSOR(call) return plain::call
#endif

}  // namespace

void statistics(const Shape& shape, const void* x, float* mean, float* spread, int64_t first, int64_t last) {
  BY_PROCESSOR(statistics(shape, x, mean, spread, first, last));
}

void normalize(const Shape& shape, const Line& line, bool relu, const void* x, void* y, int64_t first, int64_t last) {
  BY_PROCESSOR(normalize(shape, line, relu, x, y, first, last));
}

void normalizeAndPool(const Shape& shape, const Line& line, const void* x, void* y, void* pooled, int64_t first, int64_t last) {
  BY_PROCESSOR(normalizeAndPool(shape, line, x, y, pooled, first, last));
}

void gradientSums(const Shape& shape, const Line& line, const float* mean, const Gradients& gradients, const void* x, float* sums,
                  int64_t first, int64_t last) {
  BY_PROCESSOR(gradientSums(shape, line, mean, gradients, x, sums, first, last));
}

void inputGradient(const Shape& shape, const Line& line, const Correction& correction, const Gradients& gradients, const void* x,
                   void* gx, int64_t first, int64_t last) {
  BY_PROCESSOR(inputGradient(shape, line, correction, gradients, x, gx, first, last));
}

void patchSums(const Shape& shape, const Patches& patches, const void* x, float* sums, int64_t first, int64_t last) {
  BY_PROCESSOR(patchSums(shape, patches, x, sums, first, last));
}

void spreadPatches(const Shape& shape, const Patches& patches, const float* of, void* gx, int64_t first, int64_t last) {
  BY_PROCESSOR(spreadPatches(shape, patches, of, gx, first, last));
}

}  // namespace anatomy::kernels
