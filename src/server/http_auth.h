// KeyRing: the API keys that are let in. Immutable, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace orrery::server {

class KeyRing {
 public:
  KeyRing() = default;  // asks for no key
  // One key a line; blank lines and lines that begin with '#' do not count. Errors: kNotFound, kIo;
  // kInvalidArgument (a key with blanks, shorter than 8 characters, or none at all).
  static Result<KeyRing> from_file(const std::string& path);
  static Result<KeyRing> from_text(std::string_view text, std::string_view where);

  bool empty() const { return digests_.empty(); }
  // The number, from 1, of the key in "Bearer KEY", or of the password in "Basic ..." (what a
  // browser sends when a person types it); 0 if there is none such. Takes the same time whatever is
  // wrong with the key: digests of equal length are compared, with all keys, to their ends.
  uint32_t find(std::string_view authorization) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  uint32_t number_of(std::string_view key) const;
  static Digest digest_of(std::string_view key);
  std::vector<Digest> digests_;
};

}  // namespace orrery::server
