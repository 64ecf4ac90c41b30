// TLS: with a certificate made here, and a client of OpenSSL's.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdio>
#include <memory>

#include "http_client_for_tests.h"
#include "server/http_load.h"
#include "server/http_server.h"

namespace orrery::server {
namespace {

using namespace std::chrono_literals;

template <typename T, void (*Free)(T*)>
struct Freer {
  void operator()(T* value) const { Free(value); }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freer<SSL_CTX, SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freer<SSL, SSL_free>>;

// Writes a key and a certificate for localhost, signed with it.
void write_certificate(const std::string& certificate_path, const std::string& key_path) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  std::FILE* file = std::fopen(certificate_path.c_str(), "w");
  PEM_write_X509(file, certificate.get());
  std::fclose(file);
  file = std::fopen(key_path.c_str(), "w");
  PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
}

class HttpTls : public testing::Test {
 protected:
  void SetUp() override {
    options_.port = 0;
    options_.ssl_certfile = testing::TempDir() + "orrery-cert.pem";
    options_.ssl_keyfile = testing::TempDir() + "orrery-key.pem";
    options_.timeouts.handshake = 300ms;
    write_certificate(options_.ssl_certfile, options_.ssl_keyfile);
  }
  void start() {
    auto created = HttpServer::create(options_);
    ASSERT_TRUE(created.ok()) << created.status().message();
    server_ = std::move(created).value();
    Route route;
    route.method = "POST";
    route.path = "/echo";
    route.handler = [](HttpRequest request, const std::shared_ptr<Responder>& responder) {
      responder->begin_stream({});
      for (int i = 0; i < 3; ++i) responder->write(request.body);
      responder->end();
    };
    server_->add_route(std::move(route));
    server_->start();
  }

  // What comes back for `bytes`, over a protocol of at most `version`; empty if there is no
  // session.
  std::string exchange(std::string_view bytes, int version) {
    const Context context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), version);
    SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
    TestClient client(server_->port());
    const Session session(SSL_new(context.get()));
    SSL_set_fd(session.get(), client.fd());
    if (SSL_connect(session.get()) != 1) return {};
    SSL_write(session.get(), bytes.data(), static_cast<int>(bytes.size()));
    std::string answer;
    char piece[1000];
    while (answer.find("0\r\n\r\n") == std::string::npos) {
      const int n = SSL_read(session.get(), piece, sizeof piece);
      if (n <= 0) break;
      answer.append(piece, static_cast<size_t>(n));
    }
    return answer;
  }

  HttpOptions options_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTls, ServesOverTheVersionsThatAreSafe) {
  start();
  const std::string body(50'000, 'x');
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const std::string answer = exchange(http_request("POST", "/echo", body), version);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer.substr(0, 100);
    EXPECT_GT(answer.size(), 150'000u);
  }
  EXPECT_EQ(exchange(http_request("POST", "/echo", body), TLS1_1_VERSION), "");
}

TEST_F(HttpTls, EndsHandshakesThatDoNotCome) {
  start();
  TestClient silent(server_->port());
  TestClient plain(server_->port());
  plain.send(http_request("POST", "/echo", "{}"));
  EXPECT_TRUE(silent.closed_within(5s));
  EXPECT_TRUE(plain.closed_within(5s));
}

TEST_F(HttpTls, IsMeasuredOnlyUnderACertificateThatIsTrustedForItsName) {
  start();
  const auto error_at = [&](const std::string& host) {
    auto target = parse_load_url(fmt::format("https://{}:{}", host, server_->port())).value();
    target.path = "/echo";
    const auto results =
        run_load(target, {{0, "data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: [DONE]\n\n"}},
                 {.timeout_s = 30, .progress = {}});
    if (!results.ok()) return std::string(results.status().message());
    EXPECT_EQ(results->front().complete, results->front().error.empty());
    EXPECT_EQ(results->front().output_tokens, results->front().complete ? 1 : 0);
    return results->front().error;
  };
  EXPECT_TRUE(error_at("localhost").starts_with("TLS: ")) << error_at("localhost");
  ::setenv("SSL_CERT_FILE", options_.ssl_certfile.c_str(), 1);
  EXPECT_EQ(error_at("localhost"), "");
  EXPECT_TRUE(error_at("127.0.0.1").starts_with("TLS: ")) << error_at("127.0.0.1");
  ::unsetenv("SSL_CERT_FILE");
}

TEST_F(HttpTls, NamesTheFileThatIsWrong) {
  std::swap(options_.ssl_certfile, options_.ssl_keyfile);
  const auto swapped = HttpServer::create(options_);
  ASSERT_FALSE(swapped.ok());
  EXPECT_NE(swapped.status().message().find("--ssl-certfile"), std::string::npos);
  options_.ssl_keyfile.clear();
  EXPECT_FALSE(HttpServer::create(options_).ok());
}

}  // namespace
}  // namespace orrery::server
