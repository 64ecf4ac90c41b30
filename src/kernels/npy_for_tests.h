// Reads the .npy arrays of the operator goldens (NumPy format 1.0: a header with dtype and shape,
// then little-endian numbers) as fp32 or integers. For tests: a broken file throws
// std::runtime_error.
#pragma once

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/float16.h"

namespace orrery::kernels {

struct Npy {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

// `dtype` is the manifest's: a bf16 array is stored as 16-bit integers.
inline Npy read_npy(const std::string& path, const std::string& dtype) {
  std::ifstream file(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), {});
  if (all.size() < 10 || all.compare(1, 5, "NUMPY") != 0) throw std::runtime_error(path);
  uint16_t header_bytes = 0;
  std::memcpy(&header_bytes, all.data() + 8, 2);
  const std::string header = all.substr(10, header_bytes);
  if (header.find("'fortran_order': False") == std::string::npos) throw std::runtime_error(header);
  Npy npy;
  size_t count = 1;
  const size_t open = header.find('('), close = header.find(')');
  for (size_t at = open + 1; at < close; ++at) {
    if (header[at] < '0' || header[at] > '9') continue;
    size_t digits = 0;
    npy.shape.push_back(std::stoll(header.substr(at), &digits));
    count *= static_cast<size_t>(npy.shape.back());
    at += digits;
  }
  const char* data = all.data() + 10 + header_bytes;
  const size_t width = dtype == "bf16" ? 2 : dtype == "i64" ? 8 : 4;
  if (all.size() != 10u + header_bytes + count * width)
    throw std::runtime_error(path + " " + dtype);
  for (size_t i = 0; i < count; ++i) {
    uint16_t half = 0;
    int64_t integer = 0;
    float value = 0;
    std::memcpy(width == 2   ? static_cast<void*>(&half)
                : width == 8 ? static_cast<void*>(&integer)
                             : static_cast<void*>(&value),
                data + i * width, width);
    npy.values.push_back(width == 2   ? bf16_to_f32(half)
                         : width == 8 ? static_cast<float>(integer)
                                      : value);
  }
  return npy;
}

}  // namespace orrery::kernels
