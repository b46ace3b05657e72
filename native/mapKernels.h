// The passes over memory that batch norm, ReLU, max-pool and sums over patches come to, for maps in channels-last order.
// They know no tensors.
#pragma once

#include <cstdint>

namespace anatomy::kernels {

// Maps have a multiple of so many channels, the most that are computed at once.
constexpr int64_t kChannels = 16;

// The shape of a map, and how its numbers are kept.
struct Shape {
  int64_t images, height, width, channels;
  bool half;  // bf16, else f32

  int64_t rows() const { return images * height * width; }
  // The rows of windows of 2×2 pixels in an image.
  int64_t bands() const { return height / 2; }
};

// What makes a channel's output of its input: scale · x + shift.
struct Line {
  const float *scale, *shift;
};

// The pixels whose sums are kept apart: few enough to stay in the fastest cache while they are read twice.
inline int64_t pixelsOfBlock(int64_t channels) { return channels > 4096 ? 1 : 4096 / channels; }

// Each kernel does the part [first, last) of its work, so that threads can share it. The parts are blocks of pixels, or
// the rows of windows of all images where there is a pool. What belongs to a part is written by nobody else.

// mean and spread = Σ (x − mean)², of each block and channel: [blocks, channels].
void statistics(const Shape& shape, const void* x, float* mean, float* spread, int64_t first, int64_t last);

// y = scale · x + shift, clipped at 0 if `relu`.
void normalize(const Shape& shape, const Line& line, bool relu, const void* x, void* y, int64_t first, int64_t last);

// y clipped at 0, and its largest value in each 2×2 window.
void normalizeAndPool(const Shape& shape, const Line& line, const void* x, void* y, void* pooled, int64_t first, int64_t last);

// What the backward pass reads. The gradient of the output, of its pool, or of both.
struct Gradients {
  const void *output, *pooled;
  bool relu;
};

// Σ g and Σ g · (x − mean) of each part and channel: [parts, 2, channels], where g is the gradient before the ReLU.
void gradientSums(const Shape& shape, const Line& line, const float* mean, const Gradients& gradients, const void* x,
                  float* sums, int64_t first, int64_t last);

// gx = scale · (g − middle − (x − mean) · slope)
struct Correction {
  const float *mean, *middle, *slope;
};
void inputGradient(const Shape& shape, const Line& line, const Correction& correction, const Gradients& gradients,
                   const void* x, void* gx, int64_t first, int64_t last);

// Patches of height × width pixels from the top left of each image, rows × columns of them. Where they do not fill it, the
// rest belongs to none.
struct Patches {
  int64_t rows, columns, height, width;
};

// The sum over each patch, f32: [images, rows, columns, channels]. A part is a row of patches.
void patchSums(const Shape& shape, const Patches& patches, const void* x, float* sums, int64_t first, int64_t last);

// Gives every pixel its patch's number, and 0 outside all patches. A part is a row of patches, the last of an image with
// what is below it.
void spreadPatches(const Shape& shape, const Patches& patches, const float* of, void* gx, int64_t first, int64_t last);

}  // namespace anatomy::kernels
