// Calls: native functions with their parameters, macros, recursive loops.
#include <algorithm>

#include "jinja/interpreter.h"
#include "jinja/loop.h"
#include "jinja/ops.h"

namespace orrery::jinja {
namespace {

size_t count_params(std::string_view params) {
  return params.empty() ? 0
                        : static_cast<size_t>(std::count(params.begin(), params.end(), ' ')) + 1;
}

// The place of `name` among `params`, or their number.
size_t find_param(std::string_view params, std::string_view name) {
  size_t index = 0;
  for (size_t at = 0; at < params.size(); ++index) {
    const size_t end = std::min(params.find(' ', at), params.size());
    const std::string_view param = params.substr(at, end - at);
    if (param == name && param != "_" && param != "*") {
      return index;
    }
    at = end + 1;
  }
  return index;
}

// Takes the value of a keyword out of `args`; missing if it is not there.
Value take_keyword(Args& args, std::string_view name) {
  for (auto it = args.keywords.begin(); it != args.keywords.end(); ++it) {
    if (it->first.view() == name) {
      Value value = std::move(it->second);
      args.keywords.erase(it);
      return value;
    }
  }
  return {};
}

}  // namespace

Value Interpreter::call_builtin(const BuiltinDef& def, const Value* subject, Args args) {
  if (!charge(1)) {
    return {};
  }
  const bool takes_rest = !def.params.empty() && def.params.back() == '*';
  const size_t named = count_params(def.params) - (takes_rest ? 1 : 0);
  Call call;
  size_t given = 0;
  if (subject != nullptr) {
    call.values[given++] = *subject;
  }
  for (Value& value : args.positional) {
    if (given < named) {
      call.values[given++] = std::move(value);
    } else if (takes_rest) {
      call.rest.positional.push_back(std::move(value));
    } else {
      return error("{}() takes at most {} arguments", def.name, named - (subject ? 1 : 0));
    }
  }
  for (auto& keyword : args.keywords) {
    const std::string_view name = keyword.first.view();
    const size_t index = find_param(def.params, name);
    if (index >= named) {
      if (!takes_rest) {
        return error("{}() got an unexpected keyword argument '{}'", def.name, name);
      }
      call.rest.keywords.push_back(std::move(keyword));
    } else if (call.has(index)) {
      return error("{}() got multiple values for argument '{}'", def.name, name);
    } else {
      call.values[index] = std::move(keyword.second);
    }
  }
  for (size_t i = 0; i < def.required; ++i) {
    if (!call.has(i)) {
      return error("{}() misses a required argument", def.name);
    }
  }
  return def.function(*this, call);
}

Value Interpreter::call(const Value& callee, Args args) {
  if (!enter()) {
    return {};
  }
  switch (callee.kind()) {
    case Kind::kFunction:
      return call_builtin(global_at(static_cast<int>(callee.integer())), nullptr, std::move(args));
    case Kind::kMethod: {
      const auto& method = callee.as<MethodObject>();
      return call_builtin(*method.def, &method.self, std::move(args));
    }
    case Kind::kMacro:
      return invoke_macro(callee.as<MacroObject>(), std::move(args));
    case Kind::kJoiner: {
      auto& joiner = callee.as<JoinerObject>();
      const bool first = !std::exchange(joiner.used, true);
      return first ? string("") : joiner.separator;
    }
    case Kind::kLoop: {
      const auto& loop = callee.as<LoopObject>();
      if (!loop.def->recursive) {
        return error("the loop must have the 'recursive' marker to be called recursively");
      }
      if (args.positional.size() != 1 || !args.keywords.empty()) {
        return error("loop() takes one argument");
      }
      return call_recursive_loop(*loop.def, loop.definer, args.positional[0], loop.depth0 + 1);
    }
    case Kind::kUndefined:
      return undefined_error(*this, callee);
    default:
      return error("'{}' object is not callable", type_name(callee));
  }
}

Value Interpreter::call_recursive_loop(const ForDef& def, const Ref<Activation>& definer,
                                       const Value& items, int depth0) {
  const DepthScope depth(call_depth_);
  if (!enter() || !depth_ok(call_depth_)) {
    return {};
  }
  Text result;
  Text* const outer_out = std::exchange(out_, &result);
  const Ref<Activation> outer = activation_;
  activation_ = make_activation(def.function, definer);
  run_loop(def, definer, items, depth0);
  activation_ = outer;
  out_ = outer_out;
  return failed_ ? Value() : text(std::move(result));
}

bool Interpreter::bind_macro(const MacroDef& def, Args& args, Activation& activation) {
  const size_t count = def.arg_slots.size();
  const size_t positional = std::min(count, args.positional.size());
  for (size_t i = 0; i < positional; ++i) {
    activation.slots[def.arg_slots[i]] = args.positional[i];
  }
  for (size_t i = positional; i < count; ++i) {
    activation.slots[def.arg_slots[i]] = take_keyword(args, name_of(def.arg_names[i]));
  }
  if (def.uses_caller && !def.has_caller_arg) {
    Value caller = take_keyword(args, "caller");
    activation.slots[def.caller_slot] =
        caller.is_missing() || caller.is_none() ? undefined("No caller defined") : caller;
  }
  const std::string_view name =
      def.anonymous ? std::string_view("caller") : std::string_view(name_of(def.name));
  if (def.uses_kwargs) {
    activation.slots[def.kwargs_slot] = dict(std::move(args.keywords));
  } else if (!args.keywords.empty()) {
    error("macro '{}' takes no keyword argument '{}'", name, args.keywords[0].first.view());
  }
  if (def.uses_varargs) {
    std::vector<Value> rest(args.positional.begin() + static_cast<ptrdiff_t>(positional),
                            args.positional.end());
    activation.slots[def.varargs_slot] = tuple(std::move(rest));
  } else if (args.positional.size() > count) {
    error("macro '{}' takes not more than {} argument(s)", name, count);
  }
  return !failed_;
}

Value Interpreter::invoke_macro(const MacroObject& macro, Args args) {
  const DepthScope depth(call_depth_);
  if (!depth_ok(call_depth_)) {
    return {};
  }
  const Ref<Activation> activation = make_activation(macro.def->function, macro.closure);
  if (!bind_macro(*macro.def, args, *activation)) {
    return {};
  }
  return run_macro(*macro.def, activation);
}

Value Interpreter::run_macro(const MacroDef& def, const Ref<Activation>& activation) {
  Text result;
  Text* const outer_out = std::exchange(out_, &result);
  const Ref<Activation> outer = std::exchange(activation_, activation);
  enter_scope(def.scope);
  const size_t required = def.arg_slots.size() - def.defaults.size();
  for (size_t i = 0; i < def.arg_slots.size() && !failed_; ++i) {
    Value& arg = activation->slots[def.arg_slots[i]];
    if (!arg.is_missing()) {
      continue;
    }
    arg =
        i >= required
            ? eval(*def.defaults[i - required])
            : undefined(fmt::format("parameter '{}' was not provided", name_of(def.arg_names[i])));
  }
  if (!failed_) {
    exec(def.body);
  }
  activation_ = outer;
  out_ = outer_out;
  return failed_ ? Value() : text(std::move(result));
}

}  // namespace orrery::jinja
