#include "weights/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "base/test_data.h"
#include "tensor/blocks.h"
#include "weights/test_files.h"

namespace orrery::weights {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Row `row` of a matrix (or element of a vector) as Hugging Face orders them.
std::vector<float> row_of(const TensorInfo& tensor, int64_t row) {
  const bool vector = tensor.shape.rank() < 2;
  std::vector<float> values(vector ? 1 : static_cast<size_t>(tensor.shape[1]));
  const int64_t bytes = row_bytes(tensor.dtype, static_cast<int64_t>(values.size()));
  dequantise(tensor.dtype, tensor.data + tensor.permutation.source_row(row) * bytes, values);
  return values;
}

double square_sum(std::span<const float> values) {
  double sum = 0;
  for (float v : values) sum += static_cast<double>(v) * v;
  return sum;
}

// What rounding to a format may do to weights of a bell-shaped distribution: the root mean square
// of the error over that of the weights.
double allowed_error(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 0;
    case DType::kF16:
      return 5e-4;
    case DType::kBF16:
      return 4e-3;
    case DType::kQ8_0:
      return 0.01;
    case DType::kQ6_K:
      return 0.03;
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ5_K:
      return 0.06;
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ4_K:
      return 0.13;
    case DType::kQ3_K:
      return 0.25;
    default:
      return 0.5;
  }
}

// Both hold the same tensors under the same names with the same shapes and nearly the same values.
void expect_same_weights(const Checkpoint& exact, const Checkpoint& rounded) {
  for (const TensorInfo& tensor : rounded.tensors()) {
    if (tensor.name == "rope_freqs.weight") continue;  // rope_scaling in the other form
    EXPECT_NE(exact.find(tensor.name), nullptr) << tensor.name;
  }
  for (const TensorInfo& expected : exact.tensors()) {
    SCOPED_TRACE(expected.name);
    const TensorInfo* got = rounded.find(expected.name);
    ASSERT_NE(got, nullptr);
    ASSERT_EQ(got->shape, expected.shape);
    double error = 0, size = 0;
    for (int64_t row = 0; row < expected.shape[0]; ++row) {
      const std::vector<float> a = row_of(expected, row), b = row_of(*got, row);
      size += square_sum(a);
      std::vector<float> difference(a.size());
      for (size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
      error += square_sum(difference);
    }
    EXPECT_LE(std::sqrt(error), allowed_error(got->dtype) * std::sqrt(size))
        << got->dtype_name << ": " << std::sqrt(error / size);
  }
}

std::string message_of(const std::string& path, StatusCode code) {
  const Status status = Checkpoint::open(path).status();
  EXPECT_EQ(status.code(), code) << status.message();
  return status.message();
}

Result<Checkpoint> open_bytes(const std::vector<std::string>& files) {
  std::vector<MappedFile> parts;
  for (const std::string& file : files) {
    parts.push_back(MappedFile::borrow(as_bytes(file), fmt::format("part{}.gguf", parts.size())));
  }
  return Checkpoint::open_gguf(std::move(parts));
}

TEST(Checkpoint, GgufFilesHoldTheTensorsOfTheSafetensorsTheyWereMadeFrom) {
  SKIP_WITHOUT_DATA();
  const std::string folder = test_data_dir() + "/models/tinystories-656k";
  const auto exact = Checkpoint::open(folder);
  ASSERT_TRUE(exact.ok()) << exact.status().message();
  EXPECT_EQ(exact->format(), Checkpoint::Format::kSafetensors);
  EXPECT_NE(exact->files(), nullptr);
  EXPECT_EQ(exact->gguf(), nullptr);
  for (const char* format : {"f32", "F16", "Q8_0", "Q4_0"}) {
    SCOPED_TRACE(format);
    const auto gguf =
        Checkpoint::open(fmt::format("{}/gguf/tinystories-656k-{}.gguf", folder, format));
    ASSERT_TRUE(gguf.ok()) << gguf.status().message();
    EXPECT_EQ(gguf->format(), Checkpoint::Format::kGguf);
    EXPECT_NE(gguf->gguf(), nullptr);
    expect_same_weights(*exact, *gguf);
    for (const char* key :
         {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
          "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "rope_theta",
          "rope_scaling", "vocab_size", "tie_word_embeddings", "model_type", "architectures",
          "attention_bias", "mlp_bias", "bos_token_id", "eos_token_id", "hidden_act"}) {
      EXPECT_EQ(gguf->config()[key], exact->config()[key]) << key;
    }
    EXPECT_EQ(gguf->config()["head_dim"], 16);
  }
}

// The keys that a model reads, with the defaults and both spellings of Hugging Face made explicit.
Json normalised(const Json& config, bool gguf) {
  Json result;
  for (const char* key :
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "vocab_size",
        "tie_word_embeddings", "bos_token_id", "eos_token_id"}) {
    result[key] = config.value(key, Json());
  }
  const int64_t heads = config["num_attention_heads"];
  result["head_dim"] = config.value("head_dim", config["hidden_size"].get<int64_t>() / heads);
  Json rope = config.value("rope_parameters", config.value("rope_scaling", Json()));
  if (!rope.is_object()) rope = Json::object();
  const double theta = config.value("rope_theta", 10000.0);
  result["rope_theta"] = rope.value("rope_theta", theta);
  rope.erase("rope_theta");
  if (rope.contains("type")) rope["rope_type"] = rope["type"];
  rope.erase("type");
  if (rope.value("rope_type", "default") == "default") rope = Json::object();
  result["rope"] = rope;
  const std::string type = config["model_type"];
  // GGUF has no architecture of its own for Mistral and does not say that there is a window.
  result["model_type"] = !gguf && type == "mistral" ? "llama" : type;
  return result;
}

TEST(Checkpoint, GgufGoldensHaveTheConfigurationAndWeightsOfTheirHuggingFaceForms) {
  namespace fs = std::filesystem;
  const fs::path goldens = fs::path(ORRERY_SOURCE_DIR) / "tests/golden/models";
  int checked = 0;
  for (const auto& entry : fs::directory_iterator(goldens / "gguf")) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(".gguf") || file.find("-00002-of-") != file.npos) continue;
    SCOPED_TRACE(file);
    const auto gguf = Checkpoint::open(entry.path().string());
    ASSERT_TRUE(gguf.ok()) << gguf.status().message();
    const auto exact = Checkpoint::open((goldens / file.substr(0, file.find('-'))).string());
    ASSERT_TRUE(exact.ok()) << exact.status().message();
    EXPECT_EQ(normalised(gguf->config(), true), normalised(exact->config(), false));
    expect_same_weights(*exact, *gguf);
    ++checked;
  }
  EXPECT_GE(checked, 12);
}

TEST(Checkpoint, PermutationPutsInterleavedRowsBackIntoHalves) {
  // The converter writes row (h, half p, j) of a head to (h, j, p).
  const RowPermutation none;
  EXPECT_EQ(none.source_row(5), 5);
  const RowPermutation heads{RowPermutation::Kind::kInterleavedHeads, 2, 6};
  const std::vector<int64_t> expected = {0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11};
  for (int64_t row = 0; row < 12; ++row) {
    EXPECT_EQ(heads.source_row(row), expected[static_cast<size_t>(row)]) << row;
  }
}

TEST(Checkpoint, TranslatesGgufNamesShapesAndPermutations) {
  GgufBuilder b = tiny_llama();
  b.f32_tensor("blk.0.attn_q.bias", {8}).f32_tensor("other.thing", {2});
  const std::string file = b.build();
  const auto checkpoint = open_bytes({file});
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  const TensorInfo* k = checkpoint->find("model.layers.0.self_attn.k_proj.weight");
  ASSERT_NE(k, nullptr);
  EXPECT_EQ(k->shape, Shape({4, 8}));
  EXPECT_EQ(k->source_name, "blk.0.attn_k.weight");
  EXPECT_EQ(k->file, "part0.gguf");
  EXPECT_EQ(k->permutation.n_heads, 1);
  EXPECT_EQ(k->permutation.head_dim, 4);
  const TensorInfo* q = checkpoint->find("model.layers.0.self_attn.q_proj.bias");
  ASSERT_NE(q, nullptr);
  EXPECT_EQ(q->permutation.n_heads, 2);
  const TensorInfo* down = checkpoint->find("model.layers.0.mlp.down_proj.weight");
  ASSERT_NE(down, nullptr);
  EXPECT_EQ(down->shape, Shape({8, 16}));
  EXPECT_EQ(down->permutation.kind, RowPermutation::Kind::kNone);
  EXPECT_NE(checkpoint->find("other.thing"), nullptr);
  EXPECT_EQ(checkpoint->config()["attention_bias"], true);
  EXPECT_EQ(checkpoint->config()["tie_word_embeddings"], true);
  EXPECT_EQ(checkpoint->config()["architectures"], Json::array({"LlamaForCausalLM"}));

  const std::string qwen_file = tiny_llama("qwen2").build();
  const auto qwen = open_bytes({qwen_file});
  ASSERT_TRUE(qwen.ok()) << qwen.status().message();
  const TensorInfo* plain = qwen->find("model.layers.0.self_attn.q_proj.weight");
  ASSERT_NE(plain, nullptr);
  EXPECT_EQ(plain->permutation.kind, RowPermutation::Kind::kNone);
  EXPECT_EQ(qwen->config()["model_type"], "qwen2");
}

TEST(Checkpoint, RequireSaysWhatIsMissingOrWrong) {
  GgufBuilder b = tiny_llama();
  b.tensor("blk.0.ffn_up.weight", 17, {256, 1}, std::string(96, 'x'));
  const std::string file = b.build();
  const auto checkpoint = open_bytes({file});
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_TRUE(checkpoint->require("model.norm.weight", {8}).ok());
  Status status = checkpoint->require("model.norm.weight", {9}).status();
  EXPECT_EQ(status.code(), StatusCode::kMalformed);
  EXPECT_THAT(status.message(), HasSubstr("model.norm.weight: expected shape [9], got [8]"));
  status = checkpoint->require("lm_head.weight", {3, 8}).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("lm_head.weight is missing: expected shape [3, 8]"));
  status = checkpoint->require("model.layers.0.mlp.up_proj.weight", {1, 256}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("tensor type 17 (IQ2_XS) is not supported"));
  EXPECT_EQ(checkpoint->find("model.layers.0.mlp.up_proj.weight"), nullptr);
}

TEST(Checkpoint, NeverOpensPickles) {
  const TempFolder folder;
  folder.write("config.json", R"({"model_type":"llama"})");
  const std::string pickle = folder.write("pytorch_model.bin", "\x80\x02");
  const auto named = AllOf(HasSubstr("is a pickle"), HasSubstr(".safetensors"));
  EXPECT_THAT(message_of(folder.path(), StatusCode::kUnsupported),
              AllOf(named, HasSubstr("pytorch_model.bin")));
  EXPECT_THAT(message_of(pickle, StatusCode::kUnsupported), named);
  for (const char* name : {"a.pt", "a.pth", "a.ckpt", "a.pkl"}) {
    // Also one that holds a GGUF model: the name promises a pickle.
    EXPECT_THAT(message_of(folder.write(name, tiny_llama().build()), StatusCode::kUnsupported),
                named);
  }
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"pytorch_model.bin"}})");
  EXPECT_THAT(message_of(folder.path(), StatusCode::kMalformed),
              HasSubstr("expected a .safetensors file beside it, got \"pytorch_model.bin\""));
}

TEST(Checkpoint, SaysWhatAFolderHoldsInstead) {
  const TempFolder folder;
  EXPECT_THAT(message_of(folder.path(), StatusCode::kNotFound), HasSubstr("got nothing"));
  folder.write("readme.txt", "x");
  EXPECT_THAT(message_of(folder.path(), StatusCode::kNotFound), HasSubstr("got readme.txt"));
  folder.write("model.safetensors", tiny_safetensors());
  EXPECT_THAT(message_of(folder.path(), StatusCode::kNotFound), HasSubstr("no config.json"));
  EXPECT_THAT(message_of(folder.path("absent"), StatusCode::kNotFound), HasSubstr("no such file"));
  EXPECT_THAT(message_of(folder.path("readme.txt"), StatusCode::kUnsupported),
              HasSubstr("expected a folder"));
  folder.write("config.json", "[1]");
  EXPECT_THAT(message_of(folder.path(), StatusCode::kMalformed), HasSubstr("JSON object"));
  folder.write("config.json", "{");
  EXPECT_THAT(message_of(folder.path(), StatusCode::kMalformed), HasSubstr("not valid JSON"));
}

TEST(Checkpoint, OpensOneSafetensorsFileWithOrWithoutAConfiguration) {
  const TempFolder folder;
  const std::string path = folder.write("some.safetensors", tiny_safetensors());
  const auto alone = Checkpoint::open(path);
  ASSERT_TRUE(alone.ok()) << alone.status().message();
  EXPECT_EQ(alone->name(), path);
  EXPECT_EQ(alone->tensors().size(), 3U);
  EXPECT_TRUE(alone->config().is_object());
  EXPECT_TRUE(alone->config().empty());
  EXPECT_EQ(alone->find("n"), nullptr);  // I64
  EXPECT_THAT(alone->require("n", {}).status().message(), HasSubstr("dtype I64"));
  folder.write("config.json", R"({"hidden_size":4})");
  const auto folder_form = Checkpoint::open(folder.path());
  ASSERT_TRUE(folder_form.ok()) << folder_form.status().message();
  EXPECT_EQ(folder_form->config()["hidden_size"], 4);
  EXPECT_EQ(Checkpoint::open(path)->config()["hidden_size"], 4);
}

TEST(Checkpoint, OpensEmbeddedFiles) {
  static const std::string model = tiny_safetensors();
  static const std::string config = R"({"model_type":"llama"})";
  static const std::vector<EmbeddedFile> files = {{"config.json", as_bytes(config)},
                                                  {"model.safetensors", as_bytes(model)}};
  const auto checkpoint = Checkpoint::open(embedded_files("demo", files));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->name(), "demo");
  EXPECT_EQ(checkpoint->find("a")->shape, Shape({4}));
}

TEST(Checkpoint, SurvivesAMove) {
  const TempFolder folder;
  auto opened = Checkpoint::open(folder.write("x.safetensors", tiny_safetensors()));
  ASSERT_TRUE(opened.ok());
  const TensorInfo* before = opened->find("a");
  const Checkpoint moved = std::move(opened).value();
  EXPECT_EQ(moved.find("a"), before);
  EXPECT_EQ(row_of(*before, 0).size(), 1U);
}

TEST(Checkpoint, ShardsMustHoldWhatTheirIndexSays) {
  const TempFolder folder;
  const auto file = [](const char* name) {
    return safetensors_file(
        fmt::format(R"({{"{}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}})", name), 4);
  };
  const auto index = [&](const std::string& map) {
    folder.write("model.safetensors.index.json", R"({"metadata":{},"weight_map":)" + map + "}");
  };
  folder.write("config.json", "{}");
  const std::string first = folder.write("model-00001-of-00002.safetensors", file("a"));
  index(R"({"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"})");
  EXPECT_THAT(message_of(folder.path(), StatusCode::kNotFound),
              HasSubstr("shard model-00002-of-00002.safetensors with 1 tensors is missing"));
  folder.write("model-00002-of-00002.safetensors", file("x"));
  EXPECT_THAT(message_of(folder.path(), StatusCode::kMalformed),
              HasSubstr("tensor b should be in model-00002-of-00002.safetensors, but is not"));
  folder.write("model-00002-of-00002.safetensors", file("b"));
  for (const std::string& path : {folder.path(), first}) {  // any shard stands for all
    const auto checkpoint = Checkpoint::open(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_EQ(checkpoint->tensors().size(), 2U);
    EXPECT_EQ(checkpoint->find("b")->file, "model-00002-of-00002.safetensors");
  }
  for (const char* shard : {"../a.safetensors", "/etc/a.safetensors", "x/../../a.safetensors", "",
                            "..", "a.safetensors\\u0000", "\\\\a.safetensors"}) {
    index(fmt::format(R"({{"a":"{}"}})", shard));
    EXPECT_THAT(message_of(folder.path(), StatusCode::kMalformed),
                HasSubstr("expected a .safetensors file beside it"))
        << shard;
  }
  index(R"({"a":"model-00001-of-00002.safetensors","a":"model-00002-of-00002.safetensors"})");
  EXPECT_THAT(message_of(folder.path(), StatusCode::kMalformed), HasSubstr("duplicate key"));
  index("[]");
  EXPECT_THAT(message_of(folder.path(), StatusCode::kMalformed), HasSubstr("weight_map"));
}

TEST(Checkpoint, OfTiedMatricesTheOutputStandsForTheEmbeddings) {
  const TempFolder folder;
  const std::string entry = R"({"dtype":"F32","shape":[1,1],"data_offsets":[0,4]})";
  folder.write("model.safetensors", safetensors_file(R"({"lm_head.weight":)" + entry + "}", 4));
  folder.write("config.json", R"({"tie_word_embeddings":true})");
  const auto tied = Checkpoint::open(folder.path());
  ASSERT_TRUE(tied.ok()) << tied.status().message();
  const TensorInfo* embeddings = tied->find("model.embed_tokens.weight");
  ASSERT_NE(embeddings, nullptr);
  EXPECT_EQ(embeddings->source_name, "lm_head.weight");
  folder.write("config.json", R"({"tie_word_embeddings":false})");
  EXPECT_EQ(Checkpoint::open(folder.path())->find("model.embed_tokens.weight"), nullptr);
}

TEST(Checkpoint, QuantisedHuggingFaceCheckpointsAreNamedWhenATensorIsMissing) {
  const TempFolder folder;
  folder.write("model.safetensors", tiny_safetensors());
  folder.write("config.json", R"({"quantization_config":{"quant_method":"gptq"}})");
  const auto checkpoint = Checkpoint::open(folder.path());
  ASSERT_TRUE(checkpoint.ok());
  const Status status = checkpoint->require("absent", {1}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("gptq"));
}

// The parts of a split model, `count` as each says.
std::vector<std::string> split_model(uint16_t said_count, uint16_t second_no, int32_t tensors) {
  GgufBuilder first = tiny_llama();
  const auto keys = [&](GgufBuilder& b, uint16_t no) {
    b.entry("split.no", GgufType::kU16, raw(no));
    b.entry("split.count", GgufType::kU16, raw(said_count));
    b.entry("split.tensors.count", GgufType::kI32, raw(tensors));
  };
  keys(first, 0);
  GgufBuilder second;
  keys(second, second_no);
  second.f32_tensor("blk.0.attn_norm.weight", {8}).f32_tensor("output.weight", {8, 3});
  return {first.build(), second.build()};
}

TEST(Checkpoint, OpensSplitGgufFromAnyPart) {
  const TempFolder folder;
  const auto parts = split_model(2, 1, 9);
  const std::string first = folder.write("m-00001-of-00002.gguf", parts[0]);
  EXPECT_THAT(message_of(first, StatusCode::kNotFound),
              HasSubstr("part 2 of 2 is missing: m-00002-of-00002.gguf"));
  const std::string second = folder.write("m-00002-of-00002.gguf", parts[1]);
  for (const std::string& path : {first, second, folder.path()}) {
    const auto checkpoint = Checkpoint::open(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_EQ(checkpoint->tensors().size(), 9U);
    EXPECT_NE(checkpoint->find("lm_head.weight"), nullptr);
    EXPECT_EQ(checkpoint->config()["tie_word_embeddings"], false);
    EXPECT_THAT(checkpoint->find("lm_head.weight")->file, HasSubstr("m-00002-of-00002.gguf"));
  }
  folder.write("other.gguf", parts[0]);
  EXPECT_THAT(message_of(folder.path(), StatusCode::kInvalidArgument), HasSubstr("3 GGUF files"));
}

TEST(Checkpoint, RefusesSplitsThatContradictThemselves) {
  EXPECT_THAT(open_bytes(split_model(3, 1, 9)).status().message(),
              HasSubstr("split.count: expected 2"));
  EXPECT_THAT(open_bytes(split_model(2, 0, 9)).status().message(),
              HasSubstr("part1.gguf: split.no: expected 1, got 0"));
  EXPECT_THAT(open_bytes(split_model(2, 1, 8)).status().message(),
              HasSubstr("split.tensors.count: expected 9 (in all parts), got 8"));
  // A part under another name does not stand for the whole.
  EXPECT_THAT(open_bytes({split_model(2, 1, 9)[0]}).status().message(),
              HasSubstr("split.count: expected 1"));
  auto same = split_model(2, 1, 9);
  GgufBuilder twice;
  twice.entry("split.no", GgufType::kU16, raw(uint16_t{1}));
  twice.entry("split.count", GgufType::kU16, raw(uint16_t{2}));
  twice.f32_tensor("output_norm.weight", {8}).f32_tensor("x", {8});
  same[1] = twice.build();
  EXPECT_THAT(open_bytes(same).status().message(), HasSubstr("duplicate tensor model.norm.weight"));
}

TEST(Checkpoint, NamesUnknownGgufArchitectures) {
  GgufBuilder b;
  b.string("general.architecture", "mamba").f32_tensor("token_embd.weight", {8, 3});
  const std::string file = b.build();
  const auto checkpoint = open_bytes({file});
  ASSERT_TRUE(checkpoint.ok());  // the model registry refuses it by this name
  EXPECT_EQ(checkpoint->config()["model_type"], "mamba");
  EXPECT_NE(checkpoint->find("token_embd.weight"), nullptr);
  GgufBuilder none;
  none.u32("x", 1);
  EXPECT_THAT(open_bytes({none.build()}).status().message(), HasSubstr("general.architecture"));
}

TEST(Checkpoint, RefusesGgufHeadsThatDoNotDivideTheRows) {
  GgufBuilder b = tiny_llama_metadata();
  b.f32_tensor("blk.0.attn_q.weight", {8, 6});  // two heads of 3 rows
  EXPECT_THAT(open_bytes({b.build()}).status().message(),
              HasSubstr("expected an even number of rows for each of 2 heads, got 6"));
}

TEST(Checkpoint, EveryPrefixOfAGgufModelIsRefusedOrHoldsTheSame) {
  const std::string file = tiny_llama().build();
  const auto whole = open_bytes({file});
  ASSERT_TRUE(whole.ok());
  for (size_t size = 0; size < file.size(); ++size) {
    const auto bytes = exact_copy(std::string_view(file).substr(0, size));
    std::vector<MappedFile> parts;
    parts.push_back(MappedFile::borrow(bytes, "prefix"));
    const auto checkpoint = Checkpoint::open_gguf(std::move(parts));
    if (!checkpoint.ok()) continue;
    ASSERT_EQ(checkpoint->tensors().size(), whole->tensors().size()) << size;
    for (const TensorInfo& tensor : whole->tensors()) {
      const TensorInfo* got = checkpoint->find(tensor.name);
      ASSERT_NE(got, nullptr);
      ASSERT_EQ(std::memcmp(got->data, tensor.data, static_cast<size_t>(tensor.bytes)), 0);
    }
  }
}

TEST(Checkpoint, EveryPrefixOfASafetensorsFolderIsRefused) {
  const TempFolder folder;
  folder.write("config.json", "{}");
  const std::string file = tiny_safetensors();
  for (size_t size = 0; size < file.size(); ++size) {
    folder.write("model.safetensors", std::string_view(file).substr(0, size));
    EXPECT_EQ(Checkpoint::open(folder.path()).status().code(), StatusCode::kMalformed) << size;
  }
}

}  // namespace
}  // namespace orrery::weights
