#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "base/json.h"
#include "base/test_data.h"
#include "jinja/template.h"

namespace orrery::jinja {
namespace {

constexpr int64_t kGoldenNow = 1721995200;  // 2024-07-26 12:00, the clock of the goldens

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_TRUE(in.good()) << path;
  return text.str();
}

std::vector<OrderedJson> read_lines(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  std::vector<OrderedJson> rows;
  for (std::string line; std::getline(in, line);) {
    rows.push_back(OrderedJson::parse(line));
  }
  return rows;
}

OrderedJson read_json(const std::string& path) { return OrderedJson::parse(read_file(path)); }

std::string golden(const std::string& file) {
  return std::string(ORRERY_SOURCE_DIR) + "/tests/golden/jinja/" + file;
}

Result<std::string> render(const std::string& source, const OrderedJson& context) {
  ASSIGN_OR_RETURN(const Template parsed, Template::parse(source, "test"));
  RenderOptions options;
  options.now_unix_seconds = kGoldenNow;
  ASSIGN_OR_RETURN(Rendered rendered, parsed.render(context, options));
  return rendered.text;
}

// `row` holds the output, or the error of the reference, whose text is its own.
void expect_like_reference(const OrderedJson& row, const Result<std::string>& got) {
  if (row.contains("error")) {
    EXPECT_FALSE(got.ok()) << "the reference refuses: " << row["error"];
  } else if (!got.ok()) {
    ADD_FAILURE() << got.status().message();
  } else {
    EXPECT_EQ(got.value(), row["output"].get<std::string>());
  }
}

TEST(Template, RendersTheGoldensOfPythonsJinjaByteForByte) {
  SKIP_WITHOUT_DATA();
  const std::string dir = test_data_dir() + "/chat_templates/";
  const OrderedJson contexts = read_json(dir + "golden-contexts.json");
  const std::vector<OrderedJson> rows = read_lines(dir + "golden-jinja2.jsonl");
  EXPECT_EQ(rows.size(), 780u);
  for (const OrderedJson& row : rows) {
    SCOPED_TRACE(row["template"].get<std::string>() + " " + row["context"].get<std::string>());
    OrderedJson context = contexts[row["context"].get<std::string>()];
    context["add_generation_prompt"] = row["add_generation_prompt"];
    expect_like_reference(row,
                          render(read_file(dir + row["template"].get<std::string>()), context));
  }
}

TEST(Template, AgreesWithPythonOnSnippetsOfEveryFeature) {
  const OrderedJson context = read_json(golden("context.json"));
  const std::vector<OrderedJson> rows = read_lines(golden("snippets.jsonl"));
  EXPECT_GT(rows.size(), 500u);
  for (const OrderedJson& row : rows) {
    const auto source = row["template"].get<std::string>();
    SCOPED_TRACE(source);
    expect_like_reference(row, render(source, context));
  }
}

// The collections of another engine, which writes true for True; where Python differs, Python's
// answer is the golden one.
void expect_collection(const std::string& file, const std::string& source,
                       const std::string& context, const std::string& expected) {
  std::map<std::string, OrderedJson> dialect;
  for (const OrderedJson& row : read_lines(golden("dialect.jsonl"))) {
    if (row["file"] == file) {
      dialect[row["name"].get<std::string>()] = row;
    }
  }
  for (const OrderedJson& row : read_json(test_data_dir() + "/chat_templates/" + file)) {
    const auto name = row["name"].get<std::string>();
    SCOPED_TRACE(name);
    const OrderedJson own{{"output", row[expected]}};
    const auto found = dialect.find(name);
    expect_like_reference(found == dialect.end() ? own : found->second,
                          render(row[source].get<std::string>(), row[context]));
  }
}

TEST(Template, RendersTheUnitCollection) {
  SKIP_WITHOUT_DATA();
  expect_collection("jinja-unit.json", "template", "context", "expected");
}

TEST(Template, RendersTheEndToEndCollection) {
  SKIP_WITHOUT_DATA();
  expect_collection("jinja-e2e.json", "chat_template", "data", "target");
}

TEST(Template, SaysWhereItFailed) {
  const Result<Template> broken = Template::parse("a\nb {% if %}", "my.jinja");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.status().code(), StatusCode::kMalformed);
  EXPECT_NE(broken.status().message().find("my.jinja: line 2"), std::string::npos)
      << broken.status().message();

  const Result<Template> parsed = Template::parse("x\n\n{{ raise_exception('no tools') }}", "t");
  ASSERT_TRUE(parsed.ok());
  const Result<Rendered> rendered = parsed->render(OrderedJson::object());
  ASSERT_FALSE(rendered.ok());
  EXPECT_EQ(rendered.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(rendered.status().message(), "t: line 3: no tools");
}

TEST(Template, RefusesWhatReachesOutsideIt) {
  for (const char* tag :
       {"include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'", "block b"}) {
    const Result<Template> parsed = Template::parse("{% " + std::string(tag) + " %}", "t");
    ASSERT_FALSE(parsed.ok()) << tag;
    EXPECT_EQ(parsed.status().code(), StatusCode::kUnsupported) << tag;
  }
}

TEST(Template, RefusesInvalidUtf8AndContextsThatAreNoObjects) {
  EXPECT_FALSE(Template::parse("a\xff", "t").ok());
  const Result<Template> parsed = Template::parse("{{ x }}", "t");
  ASSERT_TRUE(parsed.ok());
  EXPECT_FALSE(parsed->render(OrderedJson::array()).ok());
  EXPECT_FALSE(parsed->render(OrderedJson{{"x", "a\xff"}}).ok());
  EXPECT_FALSE(parsed->render(OrderedJson{{"x", UINT64_MAX}}).ok());
}

TEST(Template, TakesTheTimeItIsGiven) {
  const Result<Template> parsed = Template::parse("{{ strftime_now('%F %T') }}", "t");
  ASSERT_TRUE(parsed.ok());
  RenderOptions options;
  options.now_unix_seconds = 951782399;  // the last second of 2000-02-28
  EXPECT_EQ(parsed->render(OrderedJson::object(), options)->text, "2000-02-28 23:59:59");
  options.utc_offset_seconds = 3600;
  EXPECT_EQ(parsed->render(OrderedJson::object(), options)->text, "2000-02-29 00:59:59");
  options.now_unix_seconds = -1;
  options.utc_offset_seconds = 0;
  EXPECT_EQ(parsed->render(OrderedJson::object(), options)->text, "1969-12-31 23:59:59");
}

TEST(Template, IsRenderedByManyThreadsAtOnce) {
  const Result<Template> parsed = Template::parse(
      "{% for m in messages %}{{ m.role ~ ': ' ~ m.content|upper }};{% endfor %}", "t");
  ASSERT_TRUE(parsed.ok());
  std::vector<std::thread> threads;
  std::vector<std::string> outputs(4);
  for (size_t i = 0; i < outputs.size(); ++i) {
    threads.emplace_back([&parsed, &outputs, i] {
      OrderedJson context;
      context["messages"].push_back({{"role", "user"}, {"content", fmt::format("n{}", i)}});
      for (int repeat = 0; repeat < 200; ++repeat) {
        outputs[i] = parsed->render(context)->text;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    EXPECT_EQ(outputs[i], fmt::format("user: N{};", i));
  }
}

}  // namespace
}  // namespace orrery::jinja
