#include "cli/config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>

#include "base/mapped_file.h"

namespace orrery::cli {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

struct Setting {
  std::string key;
  std::vector<std::string> values;
  int line = 0;
};

// The library's exceptions end here.
Result<std::vector<Setting>> read_settings(const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  if (file.size() > kMaxConfigBytes) {
    return malformed("{}: expected at most {} bytes, got {}", path, kMaxConfigBytes, file.size());
  }
  std::vector<Setting> settings;
  try {
    const YAML::Node root = YAML::Load(std::string(file.text()));
    if (root.IsNull()) return settings;
    if (!root.IsMap()) return malformed("{}: expected a map of flags", path);
    for (const auto& entry : root) {
      Setting setting{entry.first.Scalar(), {}, entry.first.Mark().line + 1};
      const YAML::Node& value = entry.second;
      for (size_t i = 0; value.IsSequence() && i < value.size(); ++i) {
        if (!value[i].IsScalar()) {
          return malformed("{}:{}: {}: expected a list of values", path, setting.line, setting.key);
        }
        setting.values.push_back(value[i].Scalar());
      }
      if (value.IsScalar()) setting.values.push_back(value.Scalar());
      if (!value.IsScalar() && !value.IsSequence()) {
        return malformed("{}:{}: {}: expected a value or a list", path, setting.line, setting.key);
      }
      settings.push_back(std::move(setting));
    }
  } catch (const YAML::Exception& error) {
    return malformed("{}:{}: {}", path, error.mark.line + 1, error.msg);
  }
  return settings;
}

const Flag* find(std::string_view name, std::span<const Flag> flags) {
  const auto found =
      std::find_if(flags.begin(), flags.end(), [&](const Flag& flag) { return flag.name == name; });
  return found == flags.end() ? nullptr : &*found;
}

Status apply_switch(const Flag& flag, const std::string& value, std::span<const Flag> flags) {
  if (value == "true") return flag.set("");
  if (value != "false") return invalid_argument("expected true or false, got \"{}\"", value);
  const Flag* off = find("--no-" + flag.name.substr(2), flags);
  return off == nullptr ? Status() : off->set("");
}

Status apply(const Setting& setting, std::span<const Flag> flags) {
  std::string name = "--" + setting.key;
  std::replace(name.begin(), name.end(), '_', '-');
  const Flag* flag = find(name, flags);
  if (flag == nullptr || flag->name == "--config" || flag->name == "--help") {
    std::vector<std::string> names;
    for (const Flag& known : flags) names.push_back(known.name);
    const std::string near = nearest(name, names);
    return invalid_argument("unknown setting{}",
                            near.empty() ? "" : "; did you mean " + near.substr(2) + "?");
  }
  for (const std::string& value : setting.values) {
    RETURN_IF_ERROR(flag->value.empty() ? apply_switch(*flag, value, flags)
                                        : set_flag(*flag, value));
  }
  return {};
}

}  // namespace

Status apply_config_file(const std::string& path, std::span<const Flag> flags,
                         std::vector<std::string>& positional) {
  ASSIGN_OR_RETURN(const std::vector<Setting> settings, read_settings(path));
  for (const Setting& setting : settings) {
    if (setting.key == "model" && find("--model", flags) == nullptr) {
      positional.insert(positional.end(), setting.values.begin(), setting.values.end());
      continue;
    }
    RETURN_IF_ERROR(apply(setting, flags)
                        .with_context(fmt::format("{}:{}: {}", path, setting.line, setting.key)));
  }
  return {};
}

}  // namespace orrery::cli
