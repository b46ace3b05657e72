// The kernels of mapKernels.h, for vectors of LANES numbers on processors of the kind TARGET. mapKernels.cc includes this once
// for each kind, in a namespace of its own.

namespace {

// GCC's and Clang's own vectors, which become whatever registers the processor has.
using Lanes = float __attribute__((vector_size(4 * LANES)));
using Words = uint32_t __attribute__((vector_size(4 * LANES)));
using Mask = int32_t __attribute__((vector_size(4 * LANES)));
using Halves = uint16_t __attribute__((vector_size(2 * LANES)));
using half = uint16_t;  // a bf16's bits

INLINE void load(const float* from, Lanes& to) { std::memcpy(&to, from, sizeof to); }
INLINE void load(const half* from, Lanes& to) {
  Halves bits;
  std::memcpy(&bits, from, sizeof bits);
  to = reinterpret_cast<Lanes>(__builtin_convertvector(bits, Words) << 16);
}
INLINE void store(float* to, const Lanes& from) { std::memcpy(to, &from, sizeof from); }
// To the nearest, ties to even, and one NaN for all, as LibTorch rounds.
INLINE void store(half* to, const Lanes& from) {
  const Words bits = reinterpret_cast<Words>(from);
  const Words rounded = (bits + ((bits >> 16) & 1u) + 0x7FFFu) >> 16;
  const Words all = from == from ? rounded : Words{} + 0x7FC0u;
  const Halves result = __builtin_convertvector(all, Halves);
  std::memcpy(to, &result, sizeof result);
}
// The value that comes back from memory.
INLINE void round(const float*, Lanes&) {}
INLINE void round(const half*, Lanes& value) {
  const Words bits = reinterpret_cast<Words>(value);
  value = reinterpret_cast<Lanes>((bits + ((bits >> 16) & 1u) + 0x7FFFu) & 0xFFFF0000u);
}

// NaN stays NaN, as in LibTorch's ReLU.
INLINE void clip(Lanes& y) { y = y < 0.0f ? Lanes{} : y; }

// The bits of what is 0 or more without its sign: as whole numbers they have the order of the values, and NaN is above all.
INLINE Mask orderOf(const Lanes& y) { return reinterpret_cast<Mask>(y) & 0x7FFFFFFF; }
INLINE Mask largest(const Mask& a, const Mask& b) { return a > b ? a : b; }
INLINE Lanes where(const Mask& mask, const Lanes& value) {
  return reinterpret_cast<Lanes>(reinterpret_cast<Mask>(value) & mask);
}

template <typename T>
INLINE void statisticsOf(const Shape& shape, const T* x, float* mean, float* spread, int64_t first, int64_t last) {
  const int64_t channels = shape.channels, pixels = pixelsOfBlock(channels), rows = shape.rows();
  for (int64_t block = first; block < last; ++block) {
    const int64_t start = block * pixels, count = std::min(pixels, rows - start);
    for (int64_t c = 0; c < channels; c += LANES) {
      const T* from = x + start * channels + c;
      Lanes a{}, b{}, value, other;
      int64_t i = 0;
      for (; i + 2 <= count; i += 2) {
        load(from + i * channels, value);
        load(from + (i + 1) * channels, other);
        a += value;
        b += other;
      }
      if (i < count) {
        load(from + i * channels, value);
        a += value;
      }
      const Lanes middle = (a + b) / static_cast<float>(count);
      a = b = Lanes{};
      for (i = 0; i + 2 <= count; i += 2) {
        load(from + i * channels, value);
        load(from + (i + 1) * channels, other);
        value -= middle;
        other -= middle;
        a += value * value;
        b += other * other;
      }
      if (i < count) {
        load(from + i * channels, value);
        value -= middle;
        a += value * value;
      }
      store(mean + block * channels + c, middle);
      store(spread + block * channels + c, a + b);
    }
  }
}

template <typename T>
INLINE void normalizeAll(const Shape& shape, const Line& line, bool relu, const T* x, T* y, int64_t first, int64_t last) {
  const int64_t channels = shape.channels, pixels = pixelsOfBlock(channels), rows = shape.rows();
  for (int64_t pixel = first * pixels; pixel < std::min(last * pixels, rows); ++pixel) {
    for (int64_t c = 0; c < channels; c += LANES) {
      Lanes scale, shift, value;
      load(line.scale + c, scale);
      load(line.shift + c, shift);
      load(x + pixel * channels + c, value);
      value = scale * value + shift;
      if (relu) clip(value);
      store(y + pixel * channels + c, value);
    }
  }
}

// Two rows of pixels that make a pooled one, and at the end of an image of odd height one more.
struct Band {
  int64_t pixel;   // its first, in the map
  int64_t pooled;  // the first in the pooled map
  int64_t height;
};

INLINE Band bandOf(const Shape& shape, int64_t number) {
  const int64_t bands = shape.bands(), image = number / bands, band = number % bands;
  return {(image * shape.height + 2 * band) * shape.width, number * (shape.width / 2),
          band + 1 == bands ? shape.height - 2 * band : 2};
}

template <typename T>
INLINE void outputOf(const Line& line, int64_t c, const T* x, T* y, Lanes& value) {
  Lanes scale, shift;
  load(line.scale + c, scale);
  load(line.shift + c, shift);
  load(x, value);
  value = scale * value + shift;
  clip(value);
  store(y, value);
}

template <typename T>
INLINE void normalizeAndPoolAll(const Shape& shape, const Line& line, const T* x, T* y, T* pooled, int64_t first, int64_t last) {
  const int64_t channels = shape.channels, row = shape.width * channels;
  for (int64_t number = first; number < last; ++number) {
    const Band band = bandOf(shape, number);
    const T* from = x + band.pixel * channels;
    T* to = y + band.pixel * channels;
    const int64_t windows = shape.width / 2;
    for (int64_t j = 0; j < windows; ++j) {
      for (int64_t c = 0; c < channels; c += LANES) {
        Lanes value;
        Mask most{};
        const int64_t at[4] = {2 * j * channels + c, (2 * j + 1) * channels + c, row + 2 * j * channels + c,
                               row + (2 * j + 1) * channels + c};
        for (int k = 0; k < 4; ++k) {
          outputOf(line, c, from + at[k], to + at[k], value);
          most = largest(most, orderOf(value));
        }
        store(pooled + (band.pooled + j) * channels + c, reinterpret_cast<Lanes>(most));
      }
    }
    for (int64_t i = 0; i < band.height; ++i) {
      for (int64_t j = i < 2 ? 2 * windows : 0; j < shape.width; ++j) {
        for (int64_t c = 0; c < channels; c += LANES) {
          Lanes value;
          outputOf(line, c, from + i * row + j * channels + c, to + i * row + j * channels + c, value);
        }
      }
    }
  }
}

// The gradient before the ReLU at a pixel outside all windows.
template <typename T>
INLINE void gradientAt(const Line& line, bool relu, int64_t c, const T* x, const T* gy, Lanes& value, Lanes& g) {
  load(x, value);
  load(gy, g);
  if (!relu) return;
  Lanes scale, shift;
  load(line.scale + c, scale);
  load(line.shift + c, shift);
  g = scale * value + shift <= 0.0f ? Lanes{} : g;
}

// The same at the four pixels of a window, which are `right` and `below` of the first. The gradient of the largest output
// goes to the first pixel that has it, and is added to the pixel's own (`both`), which is rounded as if each were kept.
template <bool both, typename T>
INLINE void windowGradients(const Line& line, int64_t c, const T* x, const T* gy, const T* gp, int64_t right, int64_t below,
                            Lanes (&value)[4], Lanes (&g)[4]) {
  Lanes scale, shift, passed, own;
  Mask order[4];
  load(line.scale + c, scale);
  load(line.shift + c, shift);
  load(gp, passed);
  for (int k = 0; k < 4; ++k) {
    load(x + (k % 2) * right + (k / 2) * below, value[k]);
    Lanes y = scale * value[k] + shift;
    clip(y);
    round(x, y);
    order[k] = orderOf(y);
  }
  const Mask most = largest(largest(order[0], order[1]), largest(order[2], order[3]));
  Mask open = order[0] == order[0];
  for (int k = 0; k < 4; ++k) {
    const Mask here = (order[k] == most) & open;
    open &= ~here;
    g[k] = where(here, passed);
    if (both) {
      load(gy + (k % 2) * right + (k / 2) * below, own);
      g[k] += own;
      round(x, g[k]);
    }
    g[k] = where(order[k] > 0, g[k]);
  }
}

INLINE void addTo(float* sums, const Lanes& value) {
  Lanes sum;
  load(sums, sum);
  store(sums, sum + value);
}

template <typename T>
INLINE void sumsOfBlocks(const Shape& shape, const Line& line, const float* mean, bool relu, const T* gy, const T* x,
                         float* sums, int64_t first, int64_t last) {
  const int64_t channels = shape.channels, pixels = pixelsOfBlock(channels), rows = shape.rows();
  for (int64_t block = first; block < last; ++block) {
    const int64_t start = block * pixels, count = std::min(pixels, rows - start);
    for (int64_t c = 0; c < channels; c += LANES) {
      Lanes sum{}, product{}, middle, value, g;
      load(mean + c, middle);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t at = (start + i) * channels + c;
        gradientAt(line, relu, c, x + at, gy + at, value, g);
        sum += g;
        product += g * (value - middle);
      }
      store(sums + 2 * block * channels + c, sum);
      store(sums + (2 * block + 1) * channels + c, product);
    }
  }
}

template <bool both, typename T>
INLINE void sumsOfBands(const Shape& shape, const Line& line, const float* mean, const T* gy, const T* gp, const T* x,
                        float* sums, int64_t first, int64_t last) {
  const int64_t channels = shape.channels, row = shape.width * channels;
  for (int64_t number = first; number < last; ++number) {
    const Band band = bandOf(shape, number);
    const T* from = x + band.pixel * channels;
    // Where there is none it is not read.
    const T* own = both ? gy + band.pixel * channels : from;
    float *sum = sums + 2 * number * channels, *product = sum + channels;
    std::memset(sum, 0, 2 * channels * sizeof(float));
    const int64_t windows = shape.width / 2;
    for (int64_t j = 0; j < windows; ++j) {
      for (int64_t c = 0; c < channels; c += LANES) {
        Lanes middle, value[4], g[4];
        load(mean + c, middle);
        const int64_t at = 2 * j * channels + c;
        windowGradients<both>(line, c, from + at, own + at, gp + (band.pooled + j) * channels + c, channels, row, value, g);
        addTo(sum + c, (g[0] + g[1]) + (g[2] + g[3]));
        addTo(product + c, (g[0] * (value[0] - middle) + g[1] * (value[1] - middle)) +
                               (g[2] * (value[2] - middle) + g[3] * (value[3] - middle)));
      }
    }
    if (!both) continue;
    for (int64_t i = 0; i < band.height; ++i) {
      for (int64_t j = i < 2 ? 2 * windows : 0; j < shape.width; ++j) {
        for (int64_t c = 0; c < channels; c += LANES) {
          Lanes middle, value, g;
          const int64_t at = i * row + j * channels + c;
          load(mean + c, middle);
          gradientAt(line, true, c, from + at, own + at, value, g);
          addTo(sum + c, g);
          addTo(product + c, g * (value - middle));
        }
      }
    }
  }
}

template <typename T>
INLINE void correctInto(T* gx, const Line& line, const Correction& correction, int64_t c, const Lanes& value, const Lanes& g) {
  Lanes scale, mean, middle, slope;
  load(line.scale + c, scale);
  load(correction.mean + c, mean);
  load(correction.middle + c, middle);
  load(correction.slope + c, slope);
  store(gx, scale * (g - middle - (value - mean) * slope));
}

template <typename T>
INLINE void inputGradientOfBlocks(const Shape& shape, const Line& line, const Correction& correction, bool relu, const T* gy,
                                  const T* x, T* gx, int64_t first, int64_t last) {
  const int64_t channels = shape.channels, pixels = pixelsOfBlock(channels), rows = shape.rows();
  for (int64_t pixel = first * pixels; pixel < std::min(last * pixels, rows); ++pixel) {
    for (int64_t c = 0; c < channels; c += LANES) {
      Lanes value, g;
      const int64_t at = pixel * channels + c;
      gradientAt(line, relu, c, x + at, gy + at, value, g);
      correctInto(gx + at, line, correction, c, value, g);
    }
  }
}

template <bool both, typename T>
INLINE void inputGradientOfBands(const Shape& shape, const Line& line, const Correction& correction, const T* gy, const T* gp,
                                 const T* x, T* gx, int64_t first, int64_t last) {
  const int64_t channels = shape.channels, row = shape.width * channels;
  for (int64_t number = first; number < last; ++number) {
    const Band band = bandOf(shape, number);
    const T* from = x + band.pixel * channels;
    // Where there is none it is not read.
    const T* own = both ? gy + band.pixel * channels : from;
    T* to = gx + band.pixel * channels;
    const int64_t windows = shape.width / 2;
    for (int64_t j = 0; j < windows; ++j) {
      for (int64_t c = 0; c < channels; c += LANES) {
        Lanes value[4], g[4];
        const int64_t at = 2 * j * channels + c;
        windowGradients<both>(line, c, from + at, own + at, gp + (band.pooled + j) * channels + c, channels, row, value, g);
        for (int k = 0; k < 4; ++k) {
          correctInto(to + at + (k % 2) * channels + (k / 2) * row, line, correction, c, value[k], g[k]);
        }
      }
    }
    for (int64_t i = 0; i < band.height; ++i) {
      for (int64_t j = i < 2 ? 2 * windows : 0; j < shape.width; ++j) {
        for (int64_t c = 0; c < channels; c += LANES) {
          Lanes value, g;
          const int64_t at = i * row + j * channels + c;
          gradientAt(line, true, c, from + at, own + at, value, g);
          if (!both) g = Lanes{};
          correctInto(to + at, line, correction, c, value, g);
        }
      }
    }
  }
}

template <typename T>
INLINE void patchSumsOf(const Shape& shape, const Patches& patches, const T* x, float* sums, int64_t first, int64_t last) {
  const int64_t channels = shape.channels;
  for (int64_t part = first; part < last; ++part) {
    const int64_t image = part / patches.rows, row = part % patches.rows;
    for (int64_t column = 0; column < patches.columns; ++column) {
      const T* from = x + ((image * shape.height + row * patches.height) * shape.width + column * patches.width) * channels;
      float* to = sums + (part * patches.columns + column) * channels;
      for (int64_t c = 0; c < channels; c += LANES) {
        Lanes sum{}, value;
        for (int64_t i = 0; i < patches.height; ++i) {
          for (int64_t j = 0; j < patches.width; ++j) {
            load(from + (i * shape.width + j) * channels + c, value);
            sum += value;
          }
        }
        store(to + c, sum);
      }
    }
  }
}

template <typename T>
INLINE void spreadPatchesOf(const Shape& shape, const Patches& patches, const float* of, T* gx, int64_t first, int64_t last) {
  const int64_t channels = shape.channels;
  for (int64_t part = first; part < last; ++part) {
    const int64_t image = part / patches.rows, row = part % patches.rows;
    const int64_t end = row + 1 == patches.rows ? shape.height : (row + 1) * patches.height;
    for (int64_t i = row * patches.height; i < end; ++i) {
      T* to = gx + (image * shape.height + i) * shape.width * channels;
      const bool covered = i < (row + 1) * patches.height;
      for (int64_t j = 0; j < shape.width; ++j) {
        const int64_t column = j / patches.width;
        const bool inside = covered && column < patches.columns;
        const float* number = of + (part * patches.columns + column) * channels;
        for (int64_t c = 0; c < channels; c += LANES) {
          Lanes value{};
          if (inside) load(number + c, value);
          store(to + j * channels + c, value);
        }
      }
    }
  }
}

INLINE const half* halves(const void* x) { return static_cast<const half*>(x); }
INLINE const float* floats(const void* x) { return static_cast<const float*>(x); }
INLINE half* halves(void* x) { return static_cast<half*>(x); }
INLINE float* floats(void* x) { return static_cast<float*>(x); }

}  // namespace

TARGET void statistics(const Shape& shape, const void* x, float* mean, float* spread, int64_t first, int64_t last) {
  if (shape.half) return statisticsOf(shape, halves(x), mean, spread, first, last);
  statisticsOf(shape, floats(x), mean, spread, first, last);
}

TARGET void normalize(const Shape& shape, const Line& line, bool relu, const void* x, void* y, int64_t first, int64_t last) {
  if (shape.half) return normalizeAll(shape, line, relu, halves(x), halves(y), first, last);
  normalizeAll(shape, line, relu, floats(x), floats(y), first, last);
}

TARGET void normalizeAndPool(const Shape& shape, const Line& line, const void* x, void* y, void* pooled, int64_t first, int64_t last) {
  if (shape.half) return normalizeAndPoolAll(shape, line, halves(x), halves(y), halves(pooled), first, last);
  normalizeAndPoolAll(shape, line, floats(x), floats(y), floats(pooled), first, last);
}

template <typename T>
INLINE void gradientSumsOf(const Shape& shape, const Line& line, const float* mean, const Gradients& of, const T* x,
                           float* sums, int64_t first, int64_t last) {
  const T *gy = static_cast<const T*>(of.output), *gp = static_cast<const T*>(of.pooled);
  if (gp == nullptr) return sumsOfBlocks(shape, line, mean, of.relu, gy, x, sums, first, last);
  if (gy == nullptr) return sumsOfBands<false>(shape, line, mean, gy, gp, x, sums, first, last);
  sumsOfBands<true>(shape, line, mean, gy, gp, x, sums, first, last);
}

template <typename T>
INLINE void inputGradientOf(const Shape& shape, const Line& line, const Correction& correction, const Gradients& of,
                            const T* x, T* gx, int64_t first, int64_t last) {
  const T *gy = static_cast<const T*>(of.output), *gp = static_cast<const T*>(of.pooled);
  if (gp == nullptr) return inputGradientOfBlocks(shape, line, correction, of.relu, gy, x, gx, first, last);
  if (gy == nullptr) return inputGradientOfBands<false>(shape, line, correction, gy, gp, x, gx, first, last);
  inputGradientOfBands<true>(shape, line, correction, gy, gp, x, gx, first, last);
}

TARGET void patchSums(const Shape& shape, const Patches& patches, const void* x, float* sums, int64_t first, int64_t last) {
  if (shape.half) return patchSumsOf(shape, patches, halves(x), sums, first, last);
  patchSumsOf(shape, patches, floats(x), sums, first, last);
}

TARGET void spreadPatches(const Shape& shape, const Patches& patches, const float* of, void* gx, int64_t first, int64_t last) {
  if (shape.half) return spreadPatchesOf(shape, patches, of, halves(gx), first, last);
  spreadPatchesOf(shape, patches, of, floats(gx), first, last);
}

TARGET void gradientSums(const Shape& shape, const Line& line, const float* mean, const Gradients& of, const void* x, float* sums,
                  int64_t first, int64_t last) {
  if (shape.half) return gradientSumsOf(shape, line, mean, of, halves(x), sums, first, last);
  gradientSumsOf(shape, line, mean, of, floats(x), sums, first, last);
}

TARGET void inputGradient(const Shape& shape, const Line& line, const Correction& correction, const Gradients& of, const void* x,
                   void* gx, int64_t first, int64_t last) {
  if (shape.half) return inputGradientOf(shape, line, correction, of, halves(x), halves(gx), first, last);
  inputGradientOf(shape, line, correction, of, floats(x), floats(gx), first, last);
}
