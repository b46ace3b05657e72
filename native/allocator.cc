// Memory of large CPU tensors. What a training step frees the next one needs again in the same sizes, so blocks are kept,
// by size, the larger ones on huge pages. The C library's heap would not do: it places small, longer-lived blocks between large ones, and
// its aligned allocation does not take a hole of exactly the size asked for, so three live tensors of 10 MB took 1.3 GB after
// 60 rounds.
#include "addon.h"
#include "compat.h"

#include <c10/core/CPUAllocator.h>

#ifdef __linux__
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>
#endif

namespace anatomy {

#ifdef __linux__
namespace {

constexpr size_t hugePage = size_t{2} << 20;
// Smaller ones are left to the C library.
constexpr size_t smallest = size_t{1} << 20;
// From here on huge pages waste no more than the size classes do.
constexpr size_t smallestHuge = size_t{16} << 20;
// Idle blocks are kept as long as all blocks together stay below this share of the most that was ever in use, plus this.
constexpr double slack = 1.5;
constexpr size_t allowance = size_t{256} << 20;

class BlockCache : public c10::Allocator {
 public:
  explicit BlockCache(c10::Allocator* small) : small_(small) {}

  // LibTorch declares one of the two, up to 2.2 the first and then the second.
  c10::DataPtr allocate(size_t bytes) const { return const_cast<BlockCache*>(this)->allocate(bytes); }
  c10::DataPtr allocate(size_t bytes) {
    if (bytes < smallest) return small_->allocate(bytes);
    TORCH_CHECK(bytes <= PTRDIFF_MAX, "not enough memory: tried to allocate ", bytes, " bytes");
    void* block = take(bytes);
    return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
  }

  // Small tensors carry the C library's deleter; `release` hands their blocks, too, to where they came from.
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }

  static BlockCache* instance;

 private:
  // Eight sizes to each doubling: at most an eighth is wasted.
  static size_t sizeClass(size_t bytes) {
    size_t power = smallest;
    while (power * 2 <= bytes) power *= 2;
    const size_t grain = power / 8;
    return (bytes + grain - 1) / grain * grain;
  }

  void* take(size_t bytes) {
    const size_t size = sizeClass(bytes);
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = idle_.lower_bound(size);
    void* block;
    if (found != idle_.end() && found->first <= size + size / 4) {
      block = found->second;
      idleBytes_ -= found->first;
      idle_.erase(found);
    } else {
      block = map(size);
    }
    usedBytes_ += sizes_.at(block);
    mostUsed_ = std::max(mostUsed_, usedBytes_);
    return block;
  }

  void* map(size_t size) {
    const auto limit = static_cast<size_t>(slack * static_cast<double>(std::max(mostUsed_, usedBytes_ + size))) + allowance;
    while (!idle_.empty() && usedBytes_ + idleBytes_ + size > limit) unmapLargest();
    char* block = mapPages(size);
    if (block == nullptr && !idle_.empty()) {
      while (!idle_.empty()) unmapLargest();
      block = mapPages(size);
    }
    TORCH_CHECK(block != nullptr, "not enough memory: tried to allocate ", size, " bytes");
    sizes_.emplace(block, size);
    return block;
  }

  // Null where the system has none left.
  static char* mapPages(size_t size) {
    // A huge page more than needed, to begin at the start of one.
    const size_t spare = size >= smallestHuge ? hugePage : 0;
    void* mapped = ::mmap(nullptr, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* start = static_cast<char*>(mapped);
    if (spare == 0) return start;
    char* block = start + (hugePage - reinterpret_cast<uintptr_t>(start) % hugePage) % hugePage;
    if (block > start) ::munmap(start, static_cast<size_t>(block - start));
    char* end = start + size + spare;
    if (end > block + size) ::munmap(block + size, static_cast<size_t>(end - (block + size)));
    ::madvise(block, size, MADV_HUGEPAGE);
    return block;
  }

  void unmapLargest() {
    auto largest = std::prev(idle_.end());
    idleBytes_ -= largest->first;
    sizes_.erase(largest->second);
    ::munmap(largest->second, largest->first);
    idle_.erase(largest);
  }

  static void release(void* block) {
    if (!instance->giveBack(block)) instance->small_->raw_deleter()(block);
  }

  bool giveBack(void* block) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto known = sizes_.find(block);
    if (known == sizes_.end()) return false;
    usedBytes_ -= known->second;
    idleBytes_ += known->second;
    // First of its size, so that the next one takes the block that is likeliest still in the caches.
    idle_.emplace_hint(idle_.lower_bound(known->second), known->second, block);
    return true;
  }

  c10::Allocator* small_;
  std::mutex mutex_;
  std::unordered_map<void*, size_t> sizes_;  // of all blocks that are mapped
  std::multimap<size_t, void*> idle_;
  size_t usedBytes_ = 0;
  size_t idleBytes_ = 0;
  size_t mostUsed_ = 0;
};

BlockCache* BlockCache::instance = nullptr;

}  // namespace

void keepLargeBlocks() {
  static std::once_flag once;
  // Never destroyed: tensors may outlive every environment.
  std::call_once(once, [] {
    BlockCache::instance = new BlockCache(c10::GetCPUAllocator());
    c10::SetCPUAllocator(BlockCache::instance, /*priority=*/1);
  });
}
#else
void keepLargeBlocks() {}
#endif

}  // namespace anatomy
