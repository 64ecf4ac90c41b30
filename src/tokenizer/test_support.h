// What the tests of this room share.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/random.h"
#include "base/test_data.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer.h"

namespace orrery::tokenizer {

inline std::string read_text(const std::string& path) {
  auto file = MappedFile::open(path);
  EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.status().message());
  return file.ok() ? std::string(file->text()) : std::string();
}

inline Json read_json(const std::string& path) {
  auto json = parse_json(read_text(path), path);
  EXPECT_TRUE(json.ok()) << (json.ok() ? "" : json.status().message());
  return json.ok() ? *json : Json();
}

inline std::string data_path(std::string_view name) {
  return test_data_dir() + "/" + std::string(name);
}

inline std::unique_ptr<Tokenizer> must(LoadResult result) {
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.status().message());
  return result.ok() ? std::move(result).value() : nullptr;
}

inline std::vector<TokenId> ids_of(const Tokenizer& tokenizer, std::string_view text,
                                   const EncodeOptions& options = {}) {
  const auto ids = tokenizer.encode(text, options);
  EXPECT_TRUE(ids.ok()) << (ids.ok() ? "" : ids.status().message());
  return ids.ok() ? *ids : std::vector<TokenId>();
}

inline std::string text_of(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                           bool skip_special = true) {
  const auto text = tokenizer.decode(ids, skip_special);
  EXPECT_TRUE(text.ok()) << (text.ok() ? "" : text.status().message());
  return text.ok() ? *text : std::string();
}

// Numbers from a seed, the same on every machine.
class Draws {
 public:
  explicit Draws(uint64_t seed) : seed_(seed) {}
  uint32_t below(uint32_t bound) {
    return static_cast<uint32_t>(uniform_double(seed_, position_++) * bound);
  }

 private:
  uint64_t seed_;
  uint64_t position_ = 0;
};

// Processor time of this thread, which busy neighbours do not change.
inline double seconds(const std::function<void()>& body) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double start = now();
  body();
  return now() - start;
}

// The metadata of a GGUF file that we trust: only for tests, which must not depend on weights/.
class GgufMetadata {
 public:
  explicit GgufMetadata(const std::string& path) : data_(read_text(path)) {
    pos_ = 8;
    EXPECT_EQ(data_.substr(0, 4), "GGUF");
    take<uint64_t>();  // tensors
    const auto count = take<uint64_t>();
    for (uint64_t i = 0; i < count; ++i) {
      const std::string key(take_string());
      read_value(key, take<uint32_t>());
    }
  }

  GgufVocab vocab() const {
    GgufVocab out;
    const std::string ggml = "tokenizer.ggml.";
    const auto text = [&](const std::string& key) {
      const auto found = strings_.find(ggml + key);
      return found == strings_.end() ? std::vector<std::string_view>() : found->second;
    };
    const auto number = [&](const std::string& key) -> std::optional<int64_t> {
      const auto found = numbers_.find(ggml + key);
      if (found == numbers_.end()) return std::nullopt;
      return static_cast<int64_t>(found->second.at(0));
    };
    const auto flag = [&](const std::string& key) -> std::optional<bool> {
      const auto value = number(key);
      if (!value.has_value()) return std::nullopt;
      return *value != 0;
    };
    out.model = text("model").at(0);
    if (!text("pre").empty()) out.pre = text("pre")[0];
    out.tokens = text("tokens");
    out.merges = text("merges");
    if (numbers_.count(ggml + "scores") != 0) {
      for (const double score : numbers_.at(ggml + "scores")) {
        out.scores.push_back(static_cast<float>(score));
      }
    }
    for (const double type : numbers_.at(ggml + "token_type")) {
      out.token_types.push_back(static_cast<int32_t>(type));
    }
    out.bos_token_id = number("bos_token_id");
    out.eos_token_id = number("eos_token_id");
    out.unknown_token_id = number("unknown_token_id");
    out.padding_token_id = number("padding_token_id");
    out.cls_token_id = number("cls_token_id");
    out.seperator_token_id = number("seperator_token_id");
    out.add_bos_token = flag("add_bos_token");
    out.add_eos_token = flag("add_eos_token");
    out.add_space_prefix = flag("add_space_prefix");
    return out;
  }

 private:
  template <typename T>
  T take() {
    T value{};
    std::memcpy(&value, data_.data() + pos_, sizeof(T));
    pos_ += sizeof(T);
    return value;
  }
  std::string_view take_string() {
    const auto size = take<uint64_t>();
    const std::string_view text = std::string_view(data_).substr(pos_, size);
    pos_ += size;
    return text;
  }
  void read_value(const std::string& key, uint32_t type) {
    switch (type) {
      case 0:
        numbers_[key].push_back(take<uint8_t>());
        return;
      case 1:
        numbers_[key].push_back(take<int8_t>());
        return;
      case 2:
        numbers_[key].push_back(take<uint16_t>());
        return;
      case 3:
        numbers_[key].push_back(take<int16_t>());
        return;
      case 4:
        numbers_[key].push_back(take<uint32_t>());
        return;
      case 5:
        numbers_[key].push_back(take<int32_t>());
        return;
      case 6:
        numbers_[key].push_back(static_cast<double>(take<float>()));
        return;
      case 7:
        numbers_[key].push_back(take<uint8_t>());
        return;
      case 8:
        strings_[key].push_back(take_string());
        return;
      case 9: {
        const auto element = take<uint32_t>();
        const auto count = take<uint64_t>();
        for (uint64_t i = 0; i < count; ++i) read_value(key, element);
        return;
      }
      case 10:
        numbers_[key].push_back(static_cast<double>(take<uint64_t>()));
        return;
      case 11:
        numbers_[key].push_back(static_cast<double>(take<int64_t>()));
        return;
      case 12:
        numbers_[key].push_back(take<double>());
        return;
      default:
        FAIL() << "GGUF value type " << type;
    }
  }

  std::string data_;
  size_t pos_ = 0;
  std::map<std::string, std::vector<double>> numbers_;
  std::map<std::string, std::vector<std::string_view>> strings_;
};

}  // namespace orrery::tokenizer
