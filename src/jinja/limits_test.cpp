// Hostile templates and contexts end soon, with an error, on a small stack.
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <ctime>
#include <functional>

#include "base/json.h"
#include "jinja/budget.h"
#include "jinja/template.h"

namespace orrery::jinja {
namespace {

#if defined(NDEBUG)
constexpr double kLimitMs = kSanitized ? 20'000 : 100;
#else
constexpr double kLimitMs = 20'000;  // unoptimised: only that it ends
#endif

// CPU time of this thread, which other processes do not lengthen.
double thread_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void on_small_stack(const std::function<void()>& work) {
  // 256 KiB; sanitizers' frames need more, by what budget.h allows for them.
  const size_t bytes = kSanitized ? 1 << 20 : 256 << 10;
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, bytes), 0);
  pthread_t thread{};
  const auto run = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  void* argument = const_cast<std::function<void()>*>(&work);
  ASSERT_EQ(pthread_create(&thread, &attributes, run, argument), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) {
    out += text;
  }
  return out;
}

Status run(const std::string& source, const OrderedJson& context = OrderedJson::object()) {
  Result<Template> parsed = Template::parse(source, "hostile");
  if (!parsed.ok()) {
    return parsed.status();
  }
  RenderOptions options;
  if (kSanitized) {
    options.limits.max_steps /= 8;  // sanitizers are that much slower
  }
  return parsed->render(context, options).status();
}

std::vector<std::string> hostile_renderings() {
  const std::string grow =
      "{% set ns = namespace(s='ab', l=[1, 2], d={}) %}{% for i in range(100000) %}";
  return {
      "{{ range(10 ** 9) }}",
      "{{ 'x' * 10 ** 9 }}",
      "{{ ('x' * 10 ** 6) * 10 ** 6 }}",
      "{{ [0] * 10 ** 9 }}",
      "{{ 10 ** 10 ** 10 }}",
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{% for i in range(100000) %}{% for j in range(100000) %}{{ loop.last }}{% endfor %}{% "
      "endfor %}",
      "{% for i in range(100000) %}{% for j in range(100000) if j < 0 %}{% endfor %}{% endfor %}",
      grow + "{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
      grow + "{% set ns.s = ns.s ~ 'abcdefghijklmnopqrstuvwxyz' %}{% endfor %}",
      grow + "{% set ns.l = ns.l + ns.l %}{% endfor %}",
      grow + "{% set ns.l = ns.l + [i] %}{% endfor %}",
      grow + "{% set ns.l = [ns.l] %}{% endfor %}",
      grow + "{% set ns.l = {'a': ns.l} %}{% endfor %}",
      grow + "{% set ns.l = [ns.l]|batch(1) %}{% endfor %}",
      grow + "{% for x in [ns.l] %}{{ loop.first }}{% set ns.l = loop %}{% endfor %}{% endfor %}",
      grow + "{% set ns.d = dict(ns.d, **{('k' ~ i): i}) %}{% endfor %}",
      grow + "{{ 'abcdefghijklmnopqrstuvwxyz' * 100 }}{% endfor %}",
      "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
      "{% set ns = namespace() %}{% set ns.a = [ns, ns] %}{{ ns }}",
      "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
      "{% macro f(n) %}{{ f(n - 1) ~ f(n - 2) if n > 1 else n }}{% endmacro %}{{ f(90) }}",
      "{% macro f(n) %}{% for i in range(9) %}{% if n %}{{ f(n - 1) }}{% endif %}{% endfor %}"
      "{% endmacro %}{{ f(40) }}",
      "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
      "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}",
      "{{ 'a'|center(10 ** 12) }}",
      "{{ 'a'.ljust(10 ** 12) }}{{ 'a'.zfill(10 ** 12) }}",
      "{{ '%1000000000d' % 1 }}",
      "{{ '%*d' % (10 ** 9, 1) }}",
      "{{ '{:>1000000000}'.format(1) }}",
      "{{ '{:0{}}'.format(1, 10 ** 9) }}",
      "{{ '%.1000000f' % 1.0 }}",
      "{{ 'a'|indent(10 ** 12) }}",
      "{{ [1, [2]]|tojson(indent=10 ** 12) }}",
      "{{ 'a\tb'.expandtabs(10 ** 12) }}",
      "{{ [1]|batch(10 ** 12, 0)|list }}",
      "{{ [1]|slice(10 ** 12)|list }}",
      "{{ ('a' * 100000).replace('', 'b' * 100000) }}",
      "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
      "{{ ('a' * 4000000).split('a') }}",
      "{{ ('a ' * 4000000).split() }}",
      "{{ range(100000)|join('a' * 100000) }}",
      "{% for i in range(100000) %}{{ ('a' * 100000).find('a' * 50000 ~ 'b') }}{% endfor %}",
      "{% for i in range(100000) %}{{ ('a' * 100000).rfind('b' ~ 'a' * 50000) }}{% endfor %}",
      "{% for i in range(100000) %}{{ ('é' * 100000)[50000] }}{% endfor %}",
      "{% for i in range(100000) %}{{ ('é' * 100000)|upper|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ ('\\u1234' * 100000)|list|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ range(100000)|list|sort|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ range(100000)|map('string')|sort(reverse=true)|first }}{% "
      "endfor %}",
      "{% for i in range(100000) %}{{ range(100000)|unique|list|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ range(100000)|groupby('x')|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ range(100000)|list|string|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ range(100000)|list|tojson|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ 5 in range(100000)|list|reverse|list }}{% endfor %}",
      "{% for i in range(100000) %}{{ (range(100000)|list) == (range(100000)|list) }}{% endfor %}",
      "{% for i in range(100000) %}{{ strftime_now('%c' * 10000)|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ nothing_at_all_of_that_name|default('') }}{% endfor %}"
      "{% for i in range(100000) %}{{ nothing ~ i ~ nothing }}{% endfor %}"
      "{% for i in range(100000) %}{{ nothing ~ i ~ nothing }}{% endfor %}"
      "{% for i in range(100000) %}{{ nothing ~ i ~ nothing }}{% endfor %}"
      "{% for i in range(100000) %}{{ nothing ~ i ~ nothing }}{% endfor %}",
      "{% for i in range(100000) %}{{ {'a': 1, 'b': {'c': [i, i, i]}}|tojson|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ ('<' * 10000)|e|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ ('a b' * 10000)|urlencode|length }}{% endfor %}",
      "{% for i in range(100000) %}{{ ('a b' * 10000)|title|wordcount }}{% endfor %}",
      "{% for i in range(100000) %}{{ ('a' * 10000).strip('abcdefgh' * 1000) }}{% endfor %}",
      "{% for j in range(9) %}{% for i in range(100000) %}{{ '{} {} {!r}'.format(i, 'a', 'b') }}"
      "{% endfor %}{% endfor %}",
      "{% for i in range(100000) %}{{ '%s %d %r' % (i, i, 'b') }}{{ i|round(2) }}{{ (i / 7)|string "
      "}}"
      "{{ i ** 2 }}{{ '%.9f' % (i / 3) }}{{ (i / 3)|round(300) }}{% endfor %}",
      "{% macro m(a, b, c) %}{{ a }}{{ b }}{{ c }}{{ varargs }}{{ kwargs }}{% endmacro %}"
      "{% for i in range(100000) %}{{ m(1, 2, 3, 4, d=5, e=6) }}{% endfor %}",
  };
}

TEST(Limits, HostileRenderingsEndWithinATenthOfASecond) {
  double slowest_ms = 0;
  std::string slowest;
  for (const std::string& source : hostile_renderings()) {
    on_small_stack([&] {
      // Again if it took too long: what shares the core slows it down by half.
      double ms = kLimitMs;
      Status status;
      for (int turn = 0; turn < 3 && ms >= kLimitMs; ++turn) {
        const double before = thread_ms();
        status = run(source);
        ms = thread_ms() - before;
      }
      // A namespace that holds itself is printed up to the depth that is allowed, or refused.
      EXPECT_FALSE(status.ok()) << source;
      EXPECT_LT(ms, kLimitMs) << source << "\n" << status.message();
      slowest = ms > slowest_ms ? source : slowest;
      slowest_ms = std::max(slowest_ms, ms);
    });
  }
  RecordProperty("slowest", fmt::format("{:.1f} ms: {}", slowest_ms, slowest));
}

std::vector<std::string> hostile_sources() {
  const size_t n = 60'000;
  return {
      "{{ " + repeat("(", n) + "1" + repeat(")", n) + " }}",
      "{{ " + repeat("[", n) + repeat("]", n) + " }}",
      "{{ " + repeat("[", 3000) + repeat("]", 3000) + " }}",
      "{{ " + repeat("{1:", n) + "1" + repeat("}", n) + " }}",
      "{{ " + repeat("not ", n) + "1 }}",
      "{{ " + repeat("-", n) + "1 }}",
      "{{ a" + repeat(".a", n) + " }}",
      "{{ a" + repeat("[0]", n) + " }}",
      "{{ a" + repeat("()", n) + " }}",
      "{{ 1" + repeat("|abs", n / 2) + " }}",
      "{{ 1" + repeat(" is odd", n / 4) + " }}",
      "{{ " + repeat("1 if 1 else ", n / 4) + "1 }}",
      "{{ 1" + repeat(" if 1", n / 4) + " }}",
      "{{ " + repeat("f(", n) + repeat(")", n) + " }}",
      "{{ " + repeat("a[", n) + repeat("]", n) + " }}",
      "{{ 1 is " + repeat("eq [", n / 4) + repeat("]", n / 4) + " }}",
      repeat("{% if 1 %}", n / 4) + repeat("{% endif %}", n / 8),
      repeat("{% for x in y %}", n / 8) + repeat("{% endfor %}", n / 8),
      repeat("{% macro m() %}", n / 8) + repeat("{% endmacro %}", n / 8),
      repeat("{% set x %}", n / 8) + repeat("{% endset %}", n / 8),
      repeat("{% filter upper %}", n / 8),
      "{% for " + repeat("(", n) + "x" + repeat(")", n) + " in y %}{% endfor %}",
      "{% set x" + repeat("|upper", n / 4) + " %}{% endset %}",
      repeat("{{ 'a", n / 2),
      repeat("{#", n),
      repeat("{% raw %}", n / 8),
      repeat("{", 200'000),
      repeat("a", 1 << 20),
  };
}

TEST(Limits, HostileSourcesAreRefusedOnASmallStack) {
  for (const std::string& source : hostile_sources()) {
    on_small_stack([&source] {
      const double before = thread_ms();
      const Status status = run(source);
      const double ms = thread_ms() - before;
      const bool is_text = source.substr(0, 2) == "{{" || source[0] != '{' || source[1] != '{';
      EXPECT_FALSE(status.ok() && is_text && source.size() < 200'000) << source.substr(0, 60);
      EXPECT_LT(ms, kLimitMs) << source.substr(0, 60) << "\n" << status.message();
    });
  }
}

TEST(Limits, LongButFlatSourcesAreFine) {
  // 5,000 terms or branches are no depth.
  std::string branches = "{% if n == -1 %}";
  for (int i = 0; i < 5000; ++i) {
    branches += "{% elif n == " + std::to_string(i) + " %}" + std::to_string(i);
  }
  on_small_stack([&] {
    EXPECT_TRUE(run("{{ 1" + repeat(" + 1", 5000) + " }}").ok());
    EXPECT_TRUE(run("{{ 'a'" + repeat(" ~ 'a'", 5000) + " }}").ok());
    EXPECT_TRUE(run("{{ 1" + repeat(" and 1", 5000) + " }}").ok());
    EXPECT_TRUE(run("{{ [" + repeat("1, ", 5000) + "] }}").ok());
    EXPECT_TRUE(run(branches + "{% endif %}", {{"n", 4999}}).ok());
    EXPECT_TRUE(run(repeat("{{ x }}{% if x %}{% set y = 1 %}{% endif %}", 3000)).ok());
  });
}

TEST(Limits, ManyVariablesInManyBranchesAreAnalyzedInBoundedTime) {
  std::string source;
  for (int i = 0; i < 4000; ++i) {
    source += "{% if a %}{% set v" + std::to_string(i) + " = 1 %}{% endif %}";
  }
  const double before = thread_ms();
  const Result<Template> parsed = Template::parse(source, "t");
  EXPECT_LT(thread_ms() - before, kLimitMs);
  EXPECT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().code(), StatusCode::kResourceExhausted);
}

TEST(Limits, DeepContextsAreRefused) {
  OrderedJson deep = 1;
  for (int i = 0; i < 250; ++i) {
    OrderedJson outer = OrderedJson::array();
    outer.push_back(std::move(deep));
    deep = std::move(outer);
  }
  on_small_stack([&deep] {
    const Status status = run("{{ x }}", {{"x", deep}});
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
  });
}

TEST(Limits, AllowedDepthsFitTheSmallStack) {
  OrderedJson deep = 1;
  for (int i = 0; i < 97; ++i) {
    OrderedJson outer = OrderedJson::object();
    outer["k"] = std::move(deep);
    deep = std::move(outer);
  }
  on_small_stack([&deep] {
    const OrderedJson context{{"x", deep}, {"y", deep}};
    EXPECT_TRUE(run("{{ x }}{{ x|tojson(indent=1) }}{{ x == y }}{{ [x] < [y] }}", context).ok());
    EXPECT_TRUE(run("{% macro f(v) %}{% if v is mapping %}{{ f(v.k) }}{% else %}{{ v }}{% endif %}"
                    "{% endmacro %}{{ f(x) }}",
                    {{"x", {{"k", {{"k", {{"k", {{"k", 5}}}}}}}}}})
                    .ok());
    EXPECT_TRUE(run("{{ " + repeat("(", 40) + "1" + repeat(")", 40) + " }}").ok());
  });
}

TEST(Limits, OutputIsBounded) {
  const Result<Template> parsed = Template::parse("{{ 'abcdefgh' * 200 }}", "t");
  ASSERT_TRUE(parsed.ok());
  RenderOptions options;
  options.limits.max_output_bytes = 1599;
  EXPECT_EQ(parsed->render(OrderedJson::object(), options).status().code(),
            StatusCode::kResourceExhausted);
  options.limits.max_output_bytes = 1600;
  EXPECT_TRUE(parsed->render(OrderedJson::object(), options).ok());
}

TEST(Limits, OrdinaryChatsStayFarBelowTheStepLimit) {
  OrderedJson messages = OrderedJson::array();
  for (int i = 0; i < 500; ++i) {
    messages.push_back({{"role", i % 2 == 0 ? "user" : "assistant"},
                        {"content", repeat("A sentence of some length. ", 40)}});
  }
  const Result<Template> parsed = Template::parse(
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content|trim + "
      "'<|im_end|>\\n' }}{% if not loop.last and m.role == 'user' %}{{ m.content.split('.')[0] }}"
      "{% endif %}{% endfor %}",
      "chat");
  ASSERT_TRUE(parsed.ok());
  const Status status = parsed->render({{"messages", messages}}, RenderOptions()).status();
  EXPECT_TRUE(status.ok()) << status.message();
}

}  // namespace
}  // namespace orrery::jinja
