// Requests that break HTTP/1.1's framing or its limits: what one server reads otherwise than the
// next.
#pragma once

#include <string>
#include <vector>

namespace orrery::server {

struct HostileRequest {
  std::string name;
  std::string bytes;
  int status = 400;
};

inline std::vector<HostileRequest> smuggling_set() {
  const std::string post = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
  const std::string get = "GET /echo HTTP/1.1\r\nHost: a\r\n";
  const std::string chunks = post + "Transfer-Encoding: chunked\r\n\r\n";
  return {
      {"length and chunked",
       post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"chunked and length",
       post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
      {"two lengths", post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"},
      {"the same length twice", post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"},
      {"a list of lengths", post + "Content-Length: 2, 2\r\n\r\n{}"},
      {"a negative length", post + "Content-Length: -2\r\n\r\n{}"},
      {"a signed length", post + "Content-Length: +2\r\n\r\n{}"},
      {"a hexadecimal length", post + "Content-Length: 0x2\r\n\r\n{}"},
      {"an empty length", post + "Content-Length:\r\n\r\n{}"},
      {"a length of letters", post + "Content-Length: two\r\n\r\n{}"},
      {"a length past 64 bits", post + "Content-Length: 99999999999999999999\r\n\r\n{}", 413},
      {"a length past the limit", post + "Content-Length: 999999999999\r\n\r\n{}", 413},
      {"an unknown coding", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {"identity coding", post + "Transfer-Encoding: identity\r\n\r\n"},
      {"chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
      {"two codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"},
      {"a quoted coding", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
      {"a vertical tab before chunked", post + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"},
      {"a blank before the colon", post + "Content-Length : 2\r\n\r\n{}"},
      {"a tab before the colon", post + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"},
      {"a folded field", get + "X: a\r\n b\r\n\r\n"},
      {"a field folded with a tab", get + "X: a\r\n\tb\r\n\r\n"},
      {"a folded first field", "GET /echo HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"bare line feeds", "GET /echo HTTP/1.1\nHost: a\n\n"},
      {"a bare line feed in a field", get + "X: a\nY: b\r\n\r\n"},
      {"a bare carriage return", get + "X: a\rY: b\r\n\r\n"},
      {"a zero byte", get + std::string("X: a\0b\r\n\r\n", 10)},
      {"a control character in a name", get + "X\x01: a\r\n\r\n"},
      {"a field without a colon", get + "X\r\n\r\n"},
      {"a field without a name", get + ": a\r\n\r\n"},
      {"a name with blanks", get + "X Y: a\r\n\r\n"},
      {"two hosts", get + "Host: b\r\n\r\n"},
      {"no host", "GET /echo HTTP/1.1\r\n\r\n"},
      {"a host with a path", "GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"a host with a person", "GET /echo HTTP/1.1\r\nHost: a@b\r\n\r\n"},
      {"a list of hosts", "GET /echo HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"chunked in HTTP/1.0",
       "POST /echo HTTP/1.0\r\nContent-Type: application/json\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n"},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\n", 505},
      {"HTTP/0.9", "GET /echo\r\n\r\n"},
      {"HTTP/1.2", "GET /echo HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"a lower-case version", "GET /echo http/1.1\r\nHost: a\r\n\r\n"},
      {"blanks in the target", "GET /echo /x HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a fragment in the target", "GET /echo#x HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a relative target", "GET echo HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"no target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a method with brackets", "G(T /echo HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"an empty line first", "\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a leading blank", " GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"TLS to a plain port", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)},
      {"a negative chunk", chunks + "-1\r\n\r\n"},
      {"a signed chunk", chunks + "+2\r\n{}\r\n0\r\n\r\n"},
      {"a prefixed chunk", chunks + "0x2\r\n{}\r\n0\r\n\r\n"},
      {"a chunk of 2^64", chunks + "10000000000000000\r\n{}\r\n0\r\n\r\n"},
      {"a chunk past the limit", chunks + "7fffffff\r\n{}", 413},
      {"a chunk without a size", chunks + "\r\n{}\r\n0\r\n\r\n"},
      {"a chunk size with a blank", chunks + "2 \r\n{}\r\n0\r\n\r\n"},
      {"a chunk size ended by LF", chunks + "2\n{}\r\n0\r\n\r\n"},
      {"a chunk longer than it says", chunks + "1\r\n{}\r\n0\r\n\r\n"},
      {"a chunk shorter than it says", chunks + "3\r\n{}\r\n0\r\n\r\n"},
      {"chunk data without CRLF", chunks + "2\r\n{}0\r\n\r\n"},
      {"an endless chunk extension",
       chunks + "2;" + std::string(4096, 'x') + "\r\n{}\r\n0\r\n\r\n"},
      {"a line feed in a chunk extension", chunks + "2;a\nb\r\n{}\r\n0\r\n\r\n"},
      {"endless trailers", chunks + "0\r\n" + std::string(20000, 'x')},
      {"a bare line feed in a trailer", chunks + "0\r\nX: a\n\r\n"},
      {"an expectation nobody knows", post + "Expect: wonders\r\nContent-Length: 2\r\n\r\n{}", 417},
      {"an endless request line", "GET /" + std::string(64 << 10, 'a'), 431},
      {"an endless field", get + "X: " + std::string(64 << 10, 'a'), 431},
      {"a thousand fields",
       [&] {
         std::string text = get;
         for (int i = 0; i < 1000; ++i) text += "X: a\r\n";
         return text + "\r\n";
       }(),
       431},
  };
}

}  // namespace orrery::server
