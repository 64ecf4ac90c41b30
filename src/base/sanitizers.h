// Whether this build runs under AddressSanitizer or ThreadSanitizer, whose code is several times
// slower and needs several times the stack. g++ and clang spell the question differently.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ORRERY_SANITIZED 1
#elif defined(__has_feature)
#define ORRERY_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define ORRERY_SANITIZED 0
#endif

namespace orrery {
inline constexpr bool kSanitized = ORRERY_SANITIZED;
}  // namespace orrery
