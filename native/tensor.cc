// Tensor handles: a plain JavaScript object that wraps an at::Tensor until it is released or collected.
#include "addon.h"

#include <cstring>

namespace anatomy {
namespace {

// Marks our objects, so that another addon's wrapped object can never be read as a tensor.
constexpr napi_type_tag kTensorTag = {0x616e61746f6d7931, 0x74656e736f72f00d};

struct Handle {
  at::Tensor tensor;
  const void* storage = nullptr;  // key in Environment::storages while reported
};

void check(Napi::Env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env);
}

void reportStorage(Environment& environment, Handle& handle) {
  if (!handle.tensor.has_storage()) return;
  const c10::StorageImpl* storage = handle.tensor.storage().unsafeGetStorageImpl();
  auto [entry, inserted] = environment.storages.try_emplace(storage, Environment::Reported{0, 0});
  if (inserted) {
    entry->second.bytes = static_cast<int64_t>(storage->nbytes());
    Napi::MemoryManagement::AdjustExternalMemory(environment.env, entry->second.bytes);
  }
  entry->second.handles += 1;
  handle.storage = storage;
}

void release(Environment& environment, Handle& handle) {
  if (!handle.tensor.defined()) return;
  if (handle.storage != nullptr) {
    auto entry = environment.storages.find(handle.storage);
    if (--entry->second.handles == 0) {
      Napi::MemoryManagement::AdjustExternalMemory(environment.env, -entry->second.bytes);
      environment.storages.erase(entry);
    }
    handle.storage = nullptr;
  }
  handle.tensor.reset();
  environment.liveTensors -= 1;
}

void finalize(napi_env env, void* data, void*) {
  auto* handle = static_cast<Handle*>(data);
  // At the end of a worker the instance data may already be gone: then only the memory matters.
  auto* environment = Napi::Env(env).GetInstanceData<Environment>();
  if (environment != nullptr) release(*environment, *handle);
  delete handle;
}

Handle* unwrapHandle(Napi::Env env, Napi::Value value) {
  bool ours = false;
  if (value.IsObject()) check(env, napi_check_object_type_tag(env, value, &kTensorTag, &ours));
  if (!ours) throwTensorError(env, "foreign", "expected a tensor handle of this addon");
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

// fromBytes(bytes: ArrayBufferView, shape, dtype, device): copies; the view's bytes are the tensor's, row-major.
Napi::Value fromBytes(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto view = info[0].As<Napi::TypedArray>();
    auto shapeValues = info[1].As<Napi::Array>();
    std::vector<int64_t> shape;
    for (uint32_t i = 0; i < shapeValues.Length(); ++i) shape.push_back(shapeValues.Get(i).ToNumber().Int64Value());
    at::ScalarType dtype = parseDtype(env, info[2].As<Napi::String>());
    at::Device device = parseDevice(env, info[3].As<Napi::String>());
    at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype));
    if (tensor.nbytes() != view.ByteLength()) {
      throwTensorError(env, "argument", "the shape needs " + std::to_string(tensor.nbytes()) + " bytes, the data has " +
                                            std::to_string(view.ByteLength()));
    }
    if (view.ByteLength() > 0) {
      std::memcpy(tensor.data_ptr(), static_cast<const char*>(view.ArrayBuffer().Data()) + view.ByteOffset(),
                  view.ByteLength());
    }
    if (!device.is_cpu()) tensor = tensor.to(device);
    return wrapTensor(env, std::move(tensor));
  });
}

// toBytes(handle) → ArrayBuffer: a copy of the values, row-major, in the tensor's own dtype.
Napi::Value toBytes(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    at::Tensor tensor = unwrapTensor(env, info[0]).detach().to(at::kCPU).contiguous();
    Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, tensor.nbytes());
    if (tensor.nbytes() > 0) std::memcpy(buffer.Data(), tensor.data_ptr(), tensor.nbytes());
    return buffer;
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
    release(environmentOf(info.Env()), *unwrapHandle(info.Env(), info[0]));
    return info.Env().Undefined();
  });
}

Napi::Value isReleased(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    return Napi::Boolean::New(info.Env(), !unwrapHandle(info.Env(), info[0])->tensor.defined());
  });
}

Napi::Value liveTensors(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(environmentOf(info.Env()).liveTensors));
}

}  // namespace

Napi::Value wrapTensor(Napi::Env env, at::Tensor tensor) {
  Environment& environment = environmentOf(env);
  auto* handle = new Handle{std::move(tensor)};
  napi_value object;
  check(env, napi_create_object(env, &object));
  check(env, napi_type_tag_object(env, object, &kTensorTag));
  check(env, napi_wrap(env, object, handle, finalize, nullptr, nullptr));
  environment.liveTensors += 1;
  reportStorage(environment, *handle);
  return Napi::Value(env, object);
}

at::Tensor& unwrapTensor(Napi::Env env, Napi::Value value) {
  Handle* handle = unwrapHandle(env, value);
  if (!handle->tensor.defined()) {
    throwTensorError(env, "freed", "the tensor was freed (by tidy() or dispose()); return it from tidy() or keep() it");
  }
  return handle->tensor;
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
  } catch (const c10::Error&) {
    throwTensorError(env, "argument", "unknown device '" + name + "'; expected cpu, cuda or cuda:N");
  }
}

void exportTensor(Napi::Env env, Napi::Object exports) {
  exports.Set("fromBytes", Napi::Function::New(env, fromBytes));
  exports.Set("toBytes", Napi::Function::New(env, toBytes));
  exports.Set("shapeOf", Napi::Function::New(env, shapeOf));
  exports.Set("dtypeOf", Napi::Function::New(env, dtypeOf));
  exports.Set("deviceOf", Napi::Function::New(env, deviceOf));
  exports.Set("memoryFormatOf", Napi::Function::New(env, memoryFormatOf));
  exports.Set("release", Napi::Function::New(env, releaseHandle));
  exports.Set("isReleased", Napi::Function::New(env, isReleased));
  exports.Set("liveTensors", Napi::Function::New(env, liveTensors));
}

}  // namespace anatomy
