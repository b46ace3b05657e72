// Processes that train together: c10d's store to meet at, its collectives by Gloo, and batch norm over the batches of all.
#include "addon.h"

// The build defines it where Gloo's headers are.
#ifdef USE_C10D_GLOO
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <cstdlib>
#endif

namespace anatomy {

#ifdef USE_C10D_GLOO
namespace {

using Gloo = c10d::ProcessGroupGloo;

struct Group : Collectives {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<Gloo> gloo;
  int rank;
  int size;
  // How long collectives took so far, the wait for the slowest process included.
  double seconds = 0;

  void sum(const at::Tensor& tensor) override;
  std::vector<at::Tensor> gather(const at::Tensor& tensor) override;
};

// Adds the time from here to the end of a block to that of the collectives.
class Timed {
 public:
  explicit Timed(Group& group) : group_(group), began_(std::chrono::steady_clock::now()) {}
  ~Timed() { group_.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

 private:
  Group& group_;
  std::chrono::steady_clock::time_point began_;
};

// Gloo works in the memory of the CPU, and knows no bf16. What is on a GPU, or in bf16, goes there and comes back, exactly.
at::Tensor sendable(const at::Tensor& tensor) {
  at::Tensor own = tensor.cpu();
  return own.scalar_type() == at::kBFloat16 ? own.to(at::kFloat) : own;
}

void Group::sum(const at::Tensor& tensor) {
  Timed timed(*this);
  at::Tensor own = sendable(tensor);
  // Gloo takes memory in the order of the dimensions. A sum may go over it in any order, as all have the same.
  if (!own.is_non_overlapping_and_dense()) own = own.contiguous();
  std::vector<at::Tensor> flat{own.as_strided({own.numel()}, {1})};
  gloo->allreduce(flat)->wait();
  if (!own.is_same(tensor)) tensor.copy_(own);
}

std::vector<at::Tensor> Group::gather(const at::Tensor& tensor) {
  Timed timed(*this);
  std::vector<at::Tensor> own{sendable(tensor).contiguous()};
  std::vector<std::vector<at::Tensor>> all(1);
  for (int i = 0; i < size; ++i) all[0].push_back(at::empty_like(own[0]));
  gloo->allgather(all, own)->wait();
  for (at::Tensor& one : all[0]) one = one.to(tensor.device(), tensor.scalar_type());
  return std::move(all[0]);
}

void broadcast(Group& group, const at::Tensor& tensor) {
  std::vector<at::Tensor> own{sendable(tensor)};
  group.gloo->broadcast(own)->wait();
  if (!own[0].is_same(tensor)) tensor.copy_(own[0]);
}

// The address by which others reach this machine: that of the interface towards `host`. A machine's own name often stands
// for 127.0.1.1, or for nothing.
std::string addressTowards(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  TORCH_CHECK(getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) == 0, "no machine is known as ", host);
  std::string address;
  for (addrinfo* one = found; one != nullptr && address.empty(); one = one->ai_next) {
    int probe = socket(one->ai_family, SOCK_DGRAM, 0);
    if (probe < 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof(own);
    char text[NI_MAXHOST];
    // A datagram socket sends nothing when it connects.
    if (connect(probe, one->ai_addr, one->ai_addrlen) == 0 &&
        getsockname(probe, reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&own), length, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) == 0) {
      address = text;
    }
    close(probe);
  }
  freeaddrinfo(found);
  TORCH_CHECK(!address.empty(), "this machine has no way to ", host);
  return address;
}

Group& groupOf(const Napi::Value& value) { return *value.As<Napi::External<Group>>().Data(); }

// openGroup({ host, port, opensStore, rank, size, timeout (ms), prefix }) → group
Napi::Value openGroup(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto options = info[0].As<Napi::Object>();
    auto number = [&](const char* name) { return options.Get(name).ToNumber().Int64Value(); };
    auto text = [&](const char* name) { return options.Get(name).ToString().Utf8Value(); };
    const std::string host = text("host");
    const int port = static_cast<int>(number("port"));
    const std::chrono::milliseconds timeout(number("timeout"));
    auto group = std::make_unique<Group>();
    group->rank = static_cast<int>(number("rank"));
    group->size = static_cast<int>(number("size"));
    c10d::TCPStoreOptions meeting;
    meeting.port = static_cast<uint16_t>(port);
    meeting.isServer = options.Get("opensStore").ToBoolean().Value();
    meeting.numWorkers = group->size;
    // The agent of torchrun has opened the store for others before, so that nobody waits here for a number of workers.
    meeting.waitWorkers = false;
    meeting.timeout = timeout;
    auto store = c10::make_intrusive<c10d::TCPStore>(host, meeting);
    group->store = c10::make_intrusive<c10d::PrefixStore>(text("prefix"), store);
    auto asked = Gloo::Options::create(timeout);
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    asked->devices.push_back(interface != nullptr ? Gloo::createDeviceForInterface(interface)
                                                  : Gloo::createDeviceForHostname(addressTowards(host, port)));
    group->gloo = c10::make_intrusive<Gloo>(group->store, group->rank, group->size, asked);
    return Napi::External<Group>::New(env, group.release(), [](Napi::Env, Group* old) { delete old; });
  });
}

// groupSum(group, handle): adds up the tensors of all processes, in place.
Napi::Value groupSum(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto lock = computing();
    groupOf(info[0]).sum(unwrapTensor(info.Env(), info[1]));
    return info.Env().Undefined();
  });
}

// groupGather(group, handle) → the tensors of all processes, of one shape, in their order
Napi::Value groupGather(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto lock = computing();
    auto all = groupOf(info[0]).gather(unwrapTensor(env, info[1]));
    lock.unlock();
    Napi::Array results = Napi::Array::New(env, all.size());
    for (uint32_t i = 0; i < all.size(); ++i) results.Set(i, wrapTensor(env, all[i]));
    return results;
  });
}

// groupBroadcast(group, handle): gives all processes the tensor of the first, in place.
Napi::Value groupBroadcast(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto lock = computing();
    broadcast(groupOf(info[0]), unwrapTensor(info.Env(), info[1]));
    return info.Env().Undefined();
  });
}

// groupSeconds(group) → how long sums and gathers took so far
Napi::Value groupSeconds(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), groupOf(info[0]).seconds);
}

// groupTell(group, key, text): leaves a word for the others in the store.
Napi::Value groupTell(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const std::string word = info[2].ToString().Utf8Value();
    groupOf(info[0]).store->set(info[1].ToString().Utf8Value(), std::vector<uint8_t>(word.begin(), word.end()));
    return info.Env().Undefined();
  });
}

// groupHear(group, key, timeout in ms) → the word, or null where none comes
Napi::Value groupHear(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    c10d::Store& store = *groupOf(info[0]).store;
    const std::string key = info[1].ToString().Utf8Value();
    try {
      store.wait({key}, std::chrono::milliseconds(info[2].ToNumber().Int64Value()));
    } catch (const std::exception&) {
      return env.Null();
    }
    const std::vector<uint8_t> word = store.get(key);
    return Napi::String::New(env, std::string(word.begin(), word.end()));
  });
}

// Training-mode batch norm whose statistics are those of all processes' batches together, by LibTorch's own kernels for each
// part of it. The gradient of weight and bias is this process's share, as of every parameter.
struct NormAcross : torch::autograd::Function<NormAcross> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                                                const at::Tensor& weight, const at::Tensor& bias, Group* group,
                                                double epsilon) {
    c10::impl::ExcludeDispatchKeyGuard plain(c10::autocast_dispatch_keyset);
    const int64_t channels = x.size(1);
    const double own = static_cast<double>(x.numel() / channels);
    at::Tensor mean = at::zeros_like(weight), variance = at::ones_like(weight);
    // Running statistics that stay as they are make the kernel take f32 beside bf16.
    if (own > 0) std::tie(mean, variance) = at::batch_norm_update_stats(x, mean, variance, /*momentum=*/0);
    // f64, as there are few numbers and they are squared.
    at::Tensor told = at::cat({at::full({1}, own, mean.options()), mean, variance}).to(at::kDouble);
    at::Tensor all = at::stack(group->gather(told));
    at::Tensor counts = all.narrow(1, 0, 1), means = all.narrow(1, 1, channels), variances = all.narrow(1, 1 + channels, channels);
    at::Tensor count = counts.sum();
    at::Tensor middle = (counts * means).sum(0) / count;
    at::Tensor spread = (counts * (variances + (means - middle).square())).sum(0) / count;
    mean = middle.to(weight.scalar_type());
    variance = spread.to(weight.scalar_type());
    at::Tensor out = affine(x, weight, bias, mean, variance, epsilon);
    context->save_for_backward({x, weight, mean, variance, count});
    context->saved_data["group"] = reinterpret_cast<int64_t>(group);
    context->saved_data["epsilon"] = epsilon;
    context->mark_non_differentiable({mean, variance, count});
    return {out, mean, variance, count};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    c10::impl::ExcludeDispatchKeyGuard plain(c10::autocast_dispatch_keyset);
    auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &variance = saved[3], &count = saved[4];
    auto& group = *reinterpret_cast<Group*>(context->saved_data["group"].toInt());
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const int64_t channels = x.size(1);
    // First as if the statistics were constants.
    at::Tensor ofX = at::zeros_like(x), ofWeight = at::zeros_like(weight), ofBias = at::zeros_like(weight);
    if (x.numel() > 0) {
      std::tie(ofX, ofWeight, ofBias) = at::native_batch_norm_backward(gradients[0], x, weight, mean, variance, {}, {},
                                                                       /*train=*/false, epsilon, {true, true, true});
    }
    at::Tensor sums = at::cat({ofBias, ofWeight});
    group.sum(sums);
    sums = sums / count.to(sums.scalar_type());
    // Then what comes through them: γ / √(σ² + ε) · (mean of dy + x̂ · mean of dy · x̂), a line in x for each channel.
    at::Tensor scale = weight * (variance + epsilon).rsqrt();
    ofX.sub_(affine(x, scale * sums.narrow(0, channels, channels), scale * sums.narrow(0, 0, channels), mean, variance, epsilon));
    return {ofX, ofWeight, ofBias, at::Tensor(), at::Tensor()};
  }

 private:
  // (x − mean) / √(variance + epsilon) · weight + bias, for each channel
  static at::Tensor affine(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
                           const at::Tensor& variance, double epsilon) {
    if (x.numel() == 0) return x.clone();
    return std::get<0>(at::native_batch_norm(x, weight, bias, mean, variance, /*training=*/false, 0, epsilon));
  }
};

// groupNorm(group, x, weight, bias, epsilon) → [output, mean, variance (biased), count (f64)]
Napi::Value groupNorm(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto lock = computing();
    auto made = NormAcross::apply(unwrapTensor(env, info[1]), unwrapTensor(env, info[2]), unwrapTensor(env, info[3]),
                                  &groupOf(info[0]), info[4].ToNumber().DoubleValue());
    lock.unlock();
    Napi::Array results = Napi::Array::New(env, made.size());
    for (uint32_t i = 0; i < made.size(); ++i) results.Set(i, wrapTensor(env, made[i]));
    return results;
  });
}

}  // namespace

Collectives& collectivesOf(const Napi::Value& group) { return groupOf(group); }

void exportDistributed(Napi::Env env, Napi::Object exports) {
  exports.Set("openGroup", Napi::Function::New(env, openGroup));
  exports.Set("groupSum", Napi::Function::New(env, groupSum));
  exports.Set("groupGather", Napi::Function::New(env, groupGather));
  exports.Set("groupBroadcast", Napi::Function::New(env, groupBroadcast));
  exports.Set("groupSeconds", Napi::Function::New(env, groupSeconds));
  exports.Set("groupTell", Napi::Function::New(env, groupTell));
  exports.Set("groupHear", Napi::Function::New(env, groupHear));
  exports.Set("groupNorm", Napi::Function::New(env, groupNorm));
}
#else
// Without Gloo's headers one process trains alone, and `openGroup` is not there.
void exportDistributed(Napi::Env, Napi::Object) {}
Collectives& collectivesOf(const Napi::Value& group) {
  throwTensorError(group.Env(), "argument", "the addon was built without Gloo, by which processes meet");
}
#endif

}  // namespace anatomy
