// LibTorch's operators, called boxed: JavaScript values are converted by the operator's own schema.
#include "addon.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace anatomy {
namespace {

using c10::TypeKind;

constexpr int64_t kSafeInteger = 9007199254740991;  // JavaScript's Number.MAX_SAFE_INTEGER

std::string describe(const Napi::Value& value) {
  if (value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsString()) return "'" + value.As<Napi::String>().Utf8Value() + "'";
  if (value.IsNumber() || value.IsBoolean() || value.IsBigInt()) return value.ToString().Utf8Value();
  if (value.IsSymbol()) return "a symbol";
  if (value.IsArray()) return "an array";
  if (value.IsFunction()) return "a function";
  return isTensorHandle(value.Env(), value) ? "a tensor" : "an object";
}

// The place of a conversion, for its error message.
struct Place {
  Napi::Env env;
  const c10::FunctionSchema& schema;
  const c10::Argument& argument;

  [[noreturn]] void fail(const Napi::Value& value, const std::string& expected, const char* code = "argument") const {
    throwTensorError(env, code, schema.name() + ": argument '" + argument.name() + "' is " + describe(value) +
                                    ", expected " + expected);
  }
};

const at::Tensor& toTensor(const Place& place, const Napi::Value& value) {
  if (!isTensorHandle(place.env, value)) place.fail(value, "a tensor", "foreign");
  return unwrapTensor(place.env, value);
}

int64_t toInteger(const Place& place, const Napi::Value& value) {
  if (value.IsBigInt()) {
    bool lossless = false;
    int64_t integer = value.As<Napi::BigInt>().Int64Value(&lossless);
    if (lossless) return integer;
  } else if (value.IsNumber()) {
    double number = value.As<Napi::Number>().DoubleValue();
    if (std::trunc(number) == number && std::abs(number) <= kSafeInteger) return static_cast<int64_t>(number);
  }
  place.fail(value, "an integer");
}

double toDouble(const Place& place, const Napi::Value& value) {
  if (!value.IsNumber()) place.fail(value, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

bool toBool(const Place& place, const Napi::Value& value) {
  if (!value.IsBoolean()) place.fail(value, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

// A whole number stays an integer, as a Python literal would: `i64 + 2` is i64, `i64 + 2.5` is f32. −0 counts as the
// integer 0, because arithmetic with whole numbers yields it unasked and must not change a tensor's dtype.
at::Scalar toScalar(const Place& place, const Napi::Value& value) {
  if (value.IsBigInt()) return at::Scalar(toInteger(place, value));
  double number = toDouble(place, value);
  if (std::trunc(number) == number && std::abs(number) <= kSafeInteger) {
    return at::Scalar(static_cast<int64_t>(number));
  }
  return at::Scalar(number);
}

std::string textOf(const Place& place, const Napi::Value& value) {
  if (!value.IsString()) place.fail(value, "a string");
  return value.As<Napi::String>().Utf8Value();
}

c10::IValue convert(const Place& place, const Napi::Value& value, const c10::TypePtr& type);

c10::IValue convertList(const Place& place, const Napi::Value& value, const c10::TypePtr& element) {
  // `int[2] stride` takes one integer for all, as in Python.
  bool integers = element->kind() == TypeKind::IntType || element->kind() == TypeKind::SymIntType;
  if (integers && value.IsNumber() && place.argument.N().has_value()) {
    return c10::IValue(std::vector<int64_t>(*place.argument.N(), toInteger(place, value)));
  }
  if (!value.IsArray()) place.fail(value, "an array");
  auto array = value.As<Napi::Array>();
  // A getter in the array may run anything, the array's own shortening too: it is read item by item, and no memory is
  // taken ahead for a length that may be nothing but a claim (`new Array(4e9)`).
  uint32_t length = array.Length();
  switch (element->kind()) {
    case TypeKind::TensorType: {
      c10::List<at::Tensor> list;
      for (uint32_t i = 0; i < length; ++i) list.push_back(toTensor(place, array.Get(i)));
      return list;
    }
    case TypeKind::IntType:
    case TypeKind::SymIntType: {
      std::vector<int64_t> list;
      for (uint32_t i = 0; i < length; ++i) list.push_back(toInteger(place, array.Get(i)));
      return list;
    }
    case TypeKind::FloatType: {
      std::vector<double> list;
      for (uint32_t i = 0; i < length; ++i) list.push_back(toDouble(place, array.Get(i)));
      return list;
    }
    case TypeKind::BoolType: {
      c10::List<bool> list;
      for (uint32_t i = 0; i < length; ++i) list.push_back(toBool(place, array.Get(i)));
      return list;
    }
    default: {
      c10::impl::GenericList list(element);
      for (uint32_t i = 0; i < length; ++i) list.push_back(convert(place, array.Get(i), element));
      return list;
    }
  }
}

c10::IValue convert(const Place& place, const Napi::Value& value, const c10::TypePtr& type) {
  switch (type->kind()) {
    case TypeKind::OptionalType:
      if (value.IsNull() || value.IsUndefined()) return c10::IValue();
      return convert(place, value, type->castRaw<c10::OptionalType>()->getElementType());
    case TypeKind::TensorType:
      return toTensor(place, value);
    case TypeKind::ListType:
      return convertList(place, value, type->castRaw<c10::ListType>()->getElementType());
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      return toInteger(place, value);
    case TypeKind::FloatType:
      return toDouble(place, value);
    case TypeKind::BoolType:
      return toBool(place, value);
    case TypeKind::NumberType:
      return toScalar(place, value);
    case TypeKind::StringType:
      return textOf(place, value);
    case TypeKind::DeviceObjType:
      return parseDevice(place.env, textOf(place, value));
    case TypeKind::ScalarTypeType:
      return static_cast<int64_t>(parseDtype(place.env, textOf(place, value)));
    case TypeKind::MemoryFormatType: {
      std::string name = textOf(place, value);
      if (name == "contiguous") return static_cast<int64_t>(at::MemoryFormat::Contiguous);
      if (name == "channelsLast") return static_cast<int64_t>(at::MemoryFormat::ChannelsLast);
      if (name == "preserve") return static_cast<int64_t>(at::MemoryFormat::Preserve);
      place.fail(value, "contiguous, channelsLast or preserve");
    }
    case TypeKind::LayoutType:
      if (textOf(place, value) == "strided") return static_cast<int64_t>(at::Layout::Strided);
      place.fail(value, "strided");
    default:
      place.fail(value, "a " + type->str() + ", which this addon does not convert");
  }
}

// `Tensor(a!)`: the operator changes this argument in place.
bool isWritten(const c10::Argument& argument) {
  return argument.alias_info() != nullptr && argument.alias_info()->isWrite();
}

Napi::Value toJavaScript(Napi::Env env, const c10::IValue& value) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    return tensor.defined() ? wrapTensor(env, tensor) : env.Null();
  }
  if (value.isTensorList()) {
    c10::List<at::Tensor> list = value.toTensorList();
    Napi::Array array = Napi::Array::New(env, list.size());
    for (uint32_t i = 0; i < list.size(); ++i) array.Set(i, toJavaScript(env, c10::IValue(list.get(i))));
    return array;
  }
  if (value.isInt()) {
    int64_t integer = value.toInt();
    if (std::abs(integer) <= kSafeInteger) return Napi::Number::New(env, static_cast<double>(integer));
    return Napi::BigInt::New(env, integer);
  }
  if (value.isDouble()) return Napi::Number::New(env, value.toDouble());
  if (value.isBool()) return Napi::Boolean::New(env, value.toBool());
  if (value.isNone()) return env.Null();
  throwTensorError(env, "argument", "a result of type " + value.tagKind() + " cannot be converted");
}

// findOperator(name, overload) → id, or null when this LibTorch has no such operator.
Napi::Value findOperator(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    c10::OperatorName name(info[0].As<Napi::String>(), info[1].As<Napi::String>());
    auto handle = c10::Dispatcher::singleton().findSchema(name);
    if (!handle.has_value()) return env.Null();
    const auto& arguments = handle->schema().arguments();
    const bool mapsFile = name.name == "aten::from_file";
    if (mapsFile && !name.overload_name.empty()) return env.Null();
    auto& operators = environmentOf(env)->operators;
    operators.push_back({*handle, std::any_of(arguments.begin(), arguments.end(), isWritten), mapsFile});
    return Napi::Number::New(env, static_cast<double>(operators.size() - 1));
  });
}

// schemaOf(id) → the declaration as LibTorch prints it.
Napi::Value schemaOf(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto& operators = environmentOf(info.Env())->operators;
    return Napi::String::New(info.Env(), c10::toString(operators.at(info[0].ToNumber().Uint32Value()).handle.schema()));
  });
}

// The argument that an in-place operator gave back as `result`: the same tensor under a new handle would be a second
// owner, and freeing one of them would surprise the holder of the other.
std::optional<uint32_t> givenBack(Napi::Env env, const Napi::Array& args, const c10::FunctionSchema& schema,
                                  const c10::IValue& result) {
  if (!result.isTensor()) return std::nullopt;
  const auto count = std::min<size_t>(args.Length(), schema.arguments().size());
  for (uint32_t i = 0; i < count; ++i) {
    Napi::Value value = args.Get(i);
    if (isWritten(schema.arguments()[i]) && isTensorHandle(env, value) &&
        unwrapTensor(env, value).is_same(result.toTensor())) {
      return i;
    }
  }
  return std::nullopt;
}

// from_file(filename, shared, size, dtype, layout, device, pin_memory), of whose options only the dtype has a choice.
at::Tensor fromFile(Napi::Env env, const std::vector<c10::IValue>& stack) {
  const bool plain = (stack[4].isNone() || stack[4].toInt() == static_cast<int64_t>(at::Layout::Strided)) &&
                     (stack[5].isNone() || stack[5].toDevice().is_cpu()) && (stack[6].isNone() || !stack[6].toBool());
  if (!plain) throwTensorError(env, "argument", "from_file: a mapped tensor is strided, on the cpu and not pinned");
  const auto dtype = stack[3].isNone() ? at::kFloat : static_cast<at::ScalarType>(stack[3].toInt());
  return mapFile(env, stack[0].toStringRef(), !stack[1].isNone() && stack[1].toBool(),
                 stack[2].isNone() ? 0 : stack[2].toInt(), dtype);
}

// call(id, args) → the result, an array when the operator returns several. Missing trailing arguments take the schema's
// defaults; `undefined` in the middle does too, `null` is None. An in-place operator gives back the argument's own handle.
Napi::Value call(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    const auto [handle, writes, mapsFile] = environmentOf(env)->operators.at(info[0].ToNumber().Uint32Value());
    const c10::FunctionSchema& schema = handle.schema();
    auto args = info[1].As<Napi::Array>();
    const auto& arguments = schema.arguments();
    std::vector<c10::IValue> stack;
    stack.reserve(arguments.size());
    const uint32_t count = args.Length();
    for (uint32_t i = 0; i < count; ++i) {
      if (i >= arguments.size()) {
        stack.emplace_back();  // too many: checkAndNormalizeInputs says so in LibTorch's words
        continue;
      }
      Napi::Value value = args.Get(i);
      if (value.IsUndefined() && arguments[i].default_value().has_value()) {
        stack.push_back(*arguments[i].default_value());
      } else {
        stack.push_back(convert({env, schema, arguments[i]}, value, arguments[i].real_type()));
      }
    }
    // Without this a short stack is a segmentation fault in callBoxed, and a long one silently wrong.
    schema.checkAndNormalizeInputs(stack);
    if (mapsFile) {
      stack = {fromFile(env, stack)};
    } else {
      auto lock = computing();
      handle.callBoxed(stack);
    }
    if (writes) {
      for (uint32_t i = 0; i < count; ++i) {
        Napi::Value value = args.Get(i);
        if (isWritten(arguments[i]) && isTensorHandle(env, value)) accountAgain(env, value);
      }
    }
    auto toResult = [&, writes = writes](const c10::IValue& value) -> Napi::Value {
      auto same = writes ? givenBack(env, args, schema, value) : std::nullopt;
      return same.has_value() ? args.Get(*same) : toJavaScript(env, value);
    };
    if (stack.empty()) return env.Undefined();
    if (stack.size() == 1) return toResult(stack[0]);
    Napi::Array results = Napi::Array::New(env, stack.size());
    for (uint32_t i = 0; i < stack.size(); ++i) results.Set(i, toResult(stack[i]));
    return results;
  });
}

}  // namespace

void exportOperators(Napi::Env env, Napi::Object exports) {
  exports.Set("findOperator", Napi::Function::New(env, findOperator));
  exports.Set("schemaOf", Napi::Function::New(env, schemaOf));
  exports.Set("call", Napi::Function::New(env, call));
}

}  // namespace anatomy
