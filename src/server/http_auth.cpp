#include "server/http_auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <optional>

#include "base/mapped_file.h"
#include "server/http_message.h"

namespace orrery::server {
namespace {

// Empty if it is not base64.
std::string decode_base64(std::string_view text) {
  constexpr size_t kMaxBytes = 1024;
  if (text.size() > kMaxBytes || text.size() % 4 != 0) return {};
  std::string bytes(text.size() / 4 * 3, '\0');
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                reinterpret_cast<const unsigned char*>(text.data()),
                                static_cast<int>(text.size()));
  if (n < 0) return {};
  size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') ++padding;
  bytes.resize(static_cast<size_t>(n) - padding);
  return bytes;
}

}  // namespace

Result<KeyRing> KeyRing::from_file(const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  return from_text(file.text(), path);
}

Result<KeyRing> KeyRing::from_text(std::string_view text, std::string_view where) {
  constexpr size_t kMinKeyBytes = 8;
  KeyRing ring;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.size() < kMinKeyBytes || line.find_first_of(" \t") != std::string_view::npos) {
      return invalid_argument(
          "{}: line {}: expected a key of at least {} characters without blanks", where, number,
          kMinKeyBytes);
    }
    ring.digests_.push_back(digest_of(line));
  }
  if (ring.empty()) return invalid_argument("{}: expected API keys, one a line; got none", where);
  return ring;
}

uint32_t KeyRing::find(std::string_view authorization) const {
  const auto after_scheme = [&](std::string_view scheme) -> std::optional<std::string_view> {
    if (!equals_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return std::nullopt;
    return authorization.substr(scheme.size());
  };
  if (const auto key = after_scheme("bearer ")) return number_of(*key);
  if (const auto encoded = after_scheme("basic ")) {
    const std::string pair = decode_base64(*encoded);
    const size_t colon = pair.find(':');
    if (colon != std::string::npos) return number_of(std::string_view(pair).substr(colon + 1));
  }
  return 0;
}

uint32_t KeyRing::number_of(std::string_view key) const {
  const Digest digest = digest_of(key);
  uint32_t found = 0;
  for (size_t i = 0; i < digests_.size(); ++i) {
    if (CRYPTO_memcmp(digest.data(), digests_[i].data(), digest.size()) == 0) {
      found = static_cast<uint32_t>(i + 1);
    }
  }
  return found;
}

KeyRing::Digest KeyRing::digest_of(std::string_view key) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

}  // namespace orrery::server
