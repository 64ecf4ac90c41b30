#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <vector>

#include "tensor/buffer.h"

namespace orrery {
namespace {

TEST(Shape, CountsAndPrintsItsDimensions) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.elements(), 24);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape.to_string(), "[2, 3, 4]");
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape().to_string(), "[]");
  const std::vector<int64_t> dims = {2, 3, 4};
  EXPECT_EQ(Shape(dims), shape);
  EXPECT_NE(shape, Shape({2, 3}));
  EXPECT_NE(Shape({6, 4}), Shape({4, 6}));
}

TEST(Tensor, ViewsShareTheMemory) {
  std::vector<float> numbers(24);
  const Tensor tensor{DType::kF32, {3, 8}, numbers.data()};
  EXPECT_EQ(tensor.rows(), 3);
  EXPECT_EQ(tensor.cols(), 8);
  const Tensor heads = tensor.heads(2, 4);
  EXPECT_EQ(heads.shape, Shape({3, 2, 4}));
  heads.f32()[23] = 5;
  EXPECT_EQ(numbers[23], 5);
  EXPECT_EQ(tensor.reshaped({24}).f32().size(), 24U);
}

TEST(TensorDeathTest, ViewsOfAnotherSizeAreBugs) {
  std::vector<float> numbers(24);
  const Tensor tensor{DType::kF32, {3, 8}, numbers.data()};
  EXPECT_DEATH((void)tensor.heads(3, 4), "n \\* d == cols");
  EXPECT_DEATH((void)tensor.reshaped({5}), "elements");
  EXPECT_DEATH((void)tensor.as<uint16_t>(), "sizeof");
}

TEST(Buffer, IsAlignedAndZeroed) {
  for (size_t bytes : {size_t{1}, size_t{4097}, size_t{5} << 20}) {
    auto buffer = Buffer::allocate(bytes);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(buffer->size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % Buffer::kAlignment, 0U);
    for (std::byte b : buffer->bytes()) ASSERT_EQ(b, std::byte{0});
    buffer->bytes().back() = std::byte{1};
  }
}

TEST(Buffer, MovesLeaveNothingBehind) {
  auto buffer = Buffer::allocate(100);
  ASSERT_TRUE(buffer.ok());
  Buffer first = std::move(buffer).value();
  const std::byte* data = first.data();
  const Buffer second = std::move(first);
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second.size(), 100U);
  EXPECT_EQ(first.size(), 0U);  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(first.bytes().empty());
}

TEST(Buffer, WhatTheSystemCannotGiveIsAnError) {
  const auto buffer = Buffer::allocate(size_t{1} << 62);
  EXPECT_EQ(buffer.status().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(buffer.status().message().find("4611686018427387904 bytes"), std::string::npos);
  EXPECT_TRUE(Buffer::allocate(0).ok());
}

}  // namespace
}  // namespace orrery
