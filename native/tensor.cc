// Tensor handles: a plain JavaScript object that wraps an at::Tensor until it is released or collected.
#include "addon.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>

namespace anatomy {
namespace {

// Marks our objects, so that another addon's wrapped object can never be read as a tensor.
constexpr napi_type_tag kTensorTag = {0x616e61746f6d7931, 0x74656e736f72f00d};

struct Handle {
  at::Tensor tensor;
  std::shared_ptr<Environment> environment;
  const void* storage = nullptr;  // key in Environment::storages while reported
};

void check(Napi::Env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env);
}

// V8 hears of every GiB only. It answers news of external memory with a garbage collection, several in each training step
// (5 % of it), although `tidy` frees that step's memory anyway; forgotten tensors still get collected.
constexpr int64_t kNews = int64_t{1} << 30;

void account(Environment& environment, int64_t change) {
  environment.heldBytes += change;
  int64_t news = environment.heldBytes - environment.toldBytes;
  if (news < kNews && news > -kNews) return;
  environment.toldBytes = environment.heldBytes;
  Napi::MemoryManagement::AdjustExternalMemory(environment.env, news);
}

// A storage shared by views is reported to V8 once, with the first handle that reaches it.
void account(Handle& handle) {
  if (!handle.tensor.has_storage()) return;
  const c10::StorageImpl* storage = handle.tensor.storage().unsafeGetStorageImpl();
  Environment& environment = *handle.environment;
  auto [entry, inserted] = environment.storages.try_emplace(storage, Environment::Reported{0, 0});
  entry->second.handles += 1;
  handle.storage = storage;
  if (inserted) {
    entry->second.bytes = static_cast<int64_t>(storage->nbytes());
    account(environment, entry->second.bytes);
  }
}

void unaccount(Handle& handle) {
  if (handle.storage == nullptr) return;
  Environment& environment = *handle.environment;
  auto entry = environment.storages.find(handle.storage);
  handle.storage = nullptr;
  if (--entry->second.handles > 0) return;
  int64_t bytes = entry->second.bytes;
  environment.storages.erase(entry);
  account(environment, -bytes);
}

void release(Handle& handle) {
  if (!handle.tensor.defined()) return;
  unaccount(handle);
  handle.tensor.reset();
  handle.environment->liveTensors -= 1;
}

void finalize(napi_env, void* data, void*) {
  auto* handle = static_cast<Handle*>(data);
  if (handle->tensor.defined()) handle->environment->collectedTensors += 1;
  release(*handle);
  delete handle;
}

Handle* unwrapHandle(Napi::Env env, Napi::Value value) {
  if (!isTensorHandle(env, value)) throwTensorError(env, "foreign", "expected a tensor of this addon");
  void* data = nullptr;
  check(env, napi_unwrap(env, value, &data));
  return static_cast<Handle*>(data);
}

const char* dtypeName(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat: return "f32";
    case at::kDouble: return "f64";
    case at::kHalf: return "f16";
    case at::kBFloat16: return "bf16";
    case at::kByte: return "u8";
    case at::kLong: return "i64";
    case at::kBool: return "bool";
    default: return c10::toString(dtype);  // reachable through operators only, e.g. int32 indices
  }
}

struct Bytes {
  void* data;
  size_t length;
};

size_t elementSize(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array: return 1;
    case napi_int16_array:
    case napi_uint16_array: return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array: return 8;
    default: return 0;
  }
}

// Where the array's values lie now. JavaScript must not run between this and their use: it may detach or resize the
// buffer. (A shared buffer can only grow meanwhile, in place.) The view is asked, not its buffer, as Node-API knows no
// SharedArrayBuffer; a view that no longer fits into its buffer has length 0.
Bytes bytesOf(Napi::Env env, const Napi::Value& value) {
  bool fits = false;
  check(env, napi_is_typedarray(env, value, &fits));
  napi_typedarray_type type = napi_uint8_array;
  size_t count = 0;
  void* data = nullptr;
  if (fits) check(env, napi_get_typedarray_info(env, value, &type, &count, &data, nullptr, nullptr));
  if (!fits || elementSize(type) == 0) throwTensorError(env, "argument", "the data is no typed array of a known kind");
  return {data, count * elementSize(type)};
}

std::vector<int64_t> shapeFrom(Napi::Env env, const Napi::Value& value) {
  std::vector<int64_t> shape;
  if (!value.IsArray()) throwTensorError(env, "argument", "the shape is no array");
  auto lengths = value.As<Napi::Array>();
  for (uint32_t i = 0; i < lengths.Length(); ++i) {
    Napi::Value length = lengths.Get(i);
    double number = length.IsNumber() ? length.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= 0 && number <= 9007199254740991.0 && number == std::trunc(number))) {
      throwTensorError(env, "argument", "the shape holds something else than integers ≥ 0");
    }
    shape.push_back(static_cast<int64_t>(number));
  }
  return shape;
}

// The bytes of a row-major tensor; none where 64 bits do not hold their number.
std::optional<size_t> bytesNeeded(const std::vector<int64_t>& shape, at::ScalarType dtype) {
  uint64_t bytes = at::elementSize(dtype);
  bool overflows = false;
  bool empty = false;
  for (int64_t length : shape) {
    empty = empty || length == 0;
    overflows = __builtin_mul_overflow(bytes, static_cast<uint64_t>(length), &bytes) || overflows;
  }
  if (empty) return 0;
  if (overflows || bytes > PTRDIFF_MAX) return std::nullopt;
  return bytes;
}

// fromBytes(bytes: typed array, shape, dtype, device): copies; the array's bytes are the tensor's, row-major.
Napi::Value fromBytes(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    const std::vector<int64_t> shape = shapeFrom(env, info[1]);
    at::ScalarType dtype = parseDtype(env, toText(env, info[2], "dtype"));
    at::Device device = parseDevice(env, toText(env, info[3], "device"));
    const std::optional<size_t> needed = bytesNeeded(shape, dtype);
    // From here on no JavaScript runs.
    Bytes bytes = bytesOf(env, info[0]);
    if (needed != bytes.length) {
      throwTensorError(env, "argument",
                       "the shape needs " + (needed ? std::to_string(*needed) : std::string("more than 2^63")) +
                           " bytes, the data has " + std::to_string(bytes.length));
    }
    at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype));
    if (bytes.length > 0) std::memcpy(tensor.data_ptr(), bytes.data, bytes.length);
    if (!device.is_cpu()) tensor = tensor.to(device);
    return wrapTensor(env, std::move(tensor));
  });
}

// copyBytes(handle, into: typed array): a copy of the values, row-major, in the tensor's own dtype. JavaScript makes the
// array, because its allocation can fail there with a RangeError, and here only by ending the process.
Napi::Value copyBytes(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    at::Tensor tensor = unwrapTensor(env, info[0]).detach().to(at::kCPU).contiguous();
    Bytes bytes = bytesOf(env, info[1]);
    if (tensor.nbytes() != bytes.length) {
      throwTensorError(env, "argument", "the tensor has " + std::to_string(tensor.nbytes()) + " bytes, the array " +
                                            std::to_string(bytes.length));
    }
    if (bytes.length > 0) std::memcpy(bytes.data, tensor.data_ptr(), bytes.length);
    return env.Undefined();
  });
}

Napi::Value shapeOf(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto sizes = unwrapTensor(env, info[0]).sizes();
    Napi::Array shape = Napi::Array::New(env, sizes.size());
    for (size_t i = 0; i < sizes.size(); ++i) shape.Set(static_cast<uint32_t>(i), Napi::Number::New(env, sizes[i]));
    return shape;
  });
}

Napi::Value dtypeOf(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), dtypeName(unwrapTensor(info.Env(), info[0]).scalar_type()));
  });
}

Napi::Value deviceOf(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), unwrapTensor(info.Env(), info[0]).device().str());
  });
}

// memoryFormatOf(handle) → 'contiguous' | 'channelsLast' | 'strided'
Napi::Value memoryFormatOf(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const at::Tensor& tensor = unwrapTensor(info.Env(), info[0]);
    const char* name = tensor.is_contiguous()                               ? "contiguous"
                       : tensor.is_contiguous(at::MemoryFormat::ChannelsLast) ? "channelsLast"
                                                                              : "strided";
    return Napi::String::New(info.Env(), name);
  });
}

// release(handle): frees the tensor now; any later use throws. Releasing twice is allowed.
Napi::Value releaseHandle(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    release(*unwrapHandle(info.Env(), info[0]));
    return info.Env().Undefined();
  });
}

Napi::Value isReleased(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    return Napi::Boolean::New(info.Env(), !unwrapHandle(info.Env(), info[0])->tensor.defined());
  });
}

Napi::Value liveTensors(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(environmentOf(info.Env())->liveTensors));
}

Napi::Value collectedTensors(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(environmentOf(info.Env())->collectedTensors));
}

// externalMemory() → bytes that handles hold, each storage counted once; V8 is told of it in large strokes.
Napi::Value externalMemory(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(environmentOf(info.Env())->heldBytes));
}

}  // namespace

Napi::Value wrapTensor(Napi::Env env, at::Tensor tensor) {
  auto made = std::make_unique<Handle>(Handle{std::move(tensor), environmentOf(env)});
  napi_value object;
  check(env, napi_create_object(env, &object));
  check(env, napi_type_tag_object(env, object, &kTensorTag));
  check(env, napi_wrap(env, object, made.get(), finalize, nullptr, nullptr));
  Handle* handle = made.release();  // the object's now
  handle->environment->liveTensors += 1;
  account(*handle);
  return Napi::Value(env, object);
}

bool isTensorHandle(Napi::Env env, Napi::Value value) {
  bool ours = false;
  if (value.IsObject()) check(env, napi_check_object_type_tag(env, value, &kTensorTag, &ours));
  return ours;
}

void accountAgain(Napi::Env env, Napi::Value value) {
  Handle* handle = unwrapHandle(env, value);
  if (!handle->tensor.has_storage() || handle->tensor.storage().unsafeGetStorageImpl() != handle->storage) {
    unaccount(*handle);
    account(*handle);
    return;
  }
  auto& reported = handle->environment->storages.at(handle->storage);
  int64_t change = static_cast<int64_t>(handle->tensor.storage().nbytes()) - reported.bytes;
  if (change == 0) return;  // as after nearly every in-place operator
  reported.bytes += change;
  account(*handle->environment, change);
}

at::Tensor& unwrapTensor(Napi::Env env, Napi::Value value) {
  Handle* handle = unwrapHandle(env, value);
  if (!handle->tensor.defined()) {
    throwTensorError(env, "freed", "the tensor was freed (by tidy() or dispose()); return it from tidy() or keep() it");
  }
  return handle->tensor;
}

std::string toText(Napi::Env env, const Napi::Value& value, const char* what) {
  if (!value.IsString()) throwTensorError(env, "argument", std::string(what) + " is no string");
  return value.As<Napi::String>();
}

at::ScalarType parseDtype(Napi::Env env, const std::string& name) {
  if (name == "f32") return at::kFloat;
  if (name == "f64") return at::kDouble;
  if (name == "f16") return at::kHalf;
  if (name == "bf16") return at::kBFloat16;
  if (name == "u8") return at::kByte;
  if (name == "i64") return at::kLong;
  if (name == "bool") return at::kBool;
  throwTensorError(env, "argument", "unknown dtype '" + name + "'; expected f32, f64, f16, bf16, u8, i64 or bool");
}

at::Device parseDevice(Napi::Env env, const std::string& name) {
  try {
    return at::Device(name);
  } catch (const std::exception&) {
    throwTensorError(env, "argument", "unknown device '" + name + "'; expected cpu, cuda or cuda:N");
  }
}

void exportTensor(Napi::Env env, Napi::Object exports) {
  exports.Set("fromBytes", Napi::Function::New(env, fromBytes));
  exports.Set("copyBytes", Napi::Function::New(env, copyBytes));
  exports.Set("shapeOf", Napi::Function::New(env, shapeOf));
  exports.Set("dtypeOf", Napi::Function::New(env, dtypeOf));
  exports.Set("deviceOf", Napi::Function::New(env, deviceOf));
  exports.Set("memoryFormatOf", Napi::Function::New(env, memoryFormatOf));
  exports.Set("release", Napi::Function::New(env, releaseHandle));
  exports.Set("isReleased", Napi::Function::New(env, isReleased));
  exports.Set("liveTensors", Napi::Function::New(env, liveTensors));
  exports.Set("collectedTensors", Napi::Function::New(env, collectedTensors));
  exports.Set("externalMemory", Napi::Function::New(env, externalMemory));
}

}  // namespace anatomy
