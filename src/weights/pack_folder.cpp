#include "weights/pack_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "weights/memory_limits.h"

namespace orrery::weights {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".pack", kTemporary = ".pack.tmp";

Status failed(std::string_view what, const std::string& path) {
  return io_error("{}: cannot {}: {}", path, what, std::strerror(errno));
}

// Makes a folder and those above it, as `mkdir -p` does.
bool make_folders(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return true;
  return errno == ENOENT && folder.has_relative_path() && folder.parent_path() != folder &&
         make_folders(folder.parent_path()) &&
         (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST);
}

// Opens and locks a temporary file. Errors: kUnavailable if someone writes it; kIo.
Result<Descriptor> lock_temporary(const std::string& path, int flags) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (file.get() < 0) return failed("write", path);
  const Status taken = unavailable("{}: another process is writing it", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK ? taken : failed("lock", path);
  // Between the two calls its writer may have given it its final name: then it is no longer ours
  // to write to.
  struct stat locked {
  }, named{};
  if (::fstat(file.get(), &locked) != 0 || ::stat(path.c_str(), &named) != 0 ||
      locked.st_ino != named.st_ino || locked.st_dev != named.st_dev)
    return taken;
  return file;
}

struct Held {
  std::string path;
  int64_t bytes = 0, used_ns = 0;
  bool temporary = false;
};

std::vector<Held> list_held(const std::string& folder) {
  std::vector<Held> held;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    const bool temporary = path.ends_with(kTemporary);
    struct stat info {};
    if ((!temporary && !path.ends_with(kEnding)) || ::lstat(path.c_str(), &info) != 0) continue;
    held.push_back({path, int64_t{info.st_blocks} * 512,
                    info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, temporary});
  }
  return held;
}

// Of a writer that is gone.
bool remove_leftover(const std::string& path) {
  const Result<Descriptor> file = lock_temporary(path, 0);
  return file.ok() && ::unlink(path.c_str()) == 0;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int Descriptor::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

Status prepare_pack_folder(const std::string& folder) {
  if (!make_folders(folder)) return failed("make the folder", folder);
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return failed("stat", folder);
  if (!S_ISDIR(info.st_mode)) return invalid_argument("{}: expected a folder, got a file", folder);
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    return invalid_argument("{}: expected a folder of this user's own, got user {}'s", folder,
                            info.st_uid);
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return invalid_argument("{}: expected a folder in which nobody else may write, got mode {:o}",
                            folder, info.st_mode & 07777U);
  return {};
}

Status make_room(const std::string& folder, int64_t bytes, int64_t max_bytes) {
  std::vector<Held> held = list_held(folder);
  std::erase_if(held,
                [](const Held& file) { return file.temporary && remove_leftover(file.path); });
  int64_t held_bytes = 0;
  for (const Held& file : held) held_bytes += file.bytes;
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) return failed("ask for the free space of", folder);
  const auto free = static_cast<int64_t>(disk.f_bavail * disk.f_frsize);
  const int64_t bound = std::min(max_bytes, (held_bytes + free) / 2);
  if (bytes <= bound) {  // else nothing is won by removing others
    std::erase_if(held, [](const Held& file) { return file.temporary; });
    std::sort(held.begin(), held.end(),
              [](const Held& a, const Held& b) { return a.used_ns < b.used_ns; });
    for (const Held& file : held) {
      if (held_bytes + bytes <= bound) return {};
      if (::unlink(file.path.c_str()) == 0) held_bytes -= file.bytes;
    }
    if (held_bytes + bytes <= bound) return {};
  }
  return resource_exhausted("{}: {} of packed weights exceed the {} that the folder may hold",
                            folder, format_bytes(bytes), format_bytes(bound));
}

Result<PackInProgress> PackInProgress::begin(const std::string& path, int64_t bytes) {
  ASSIGN_OR_RETURN(Descriptor file, lock_temporary(path + ".tmp", O_CREAT));
  PackInProgress pack(path, std::move(file));
  if (::ftruncate(pack.fd(), 0) != 0) return failed("write", path);
  if (::fallocate(pack.fd(), FALLOC_FL_KEEP_SIZE, 0, bytes) != 0 && errno != EOPNOTSUPP)
    return failed(fmt::format("reserve {} for", format_bytes(bytes)), path);
  return pack;
}

PackInProgress::~PackInProgress() {
  if (fd() >= 0) ::unlink((path_ + ".tmp").c_str());
}

Status PackInProgress::publish() {
  if (::rename((path_ + ".tmp").c_str(), path_.c_str()) != 0) return failed("rename", path_);
  file_ = Descriptor();
  // The name, too, is to survive a loss of power; if it does not, nothing is lost but the time.
  const Descriptor folder(::open(fs::path(path_).parent_path().c_str(), O_RDONLY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
  return {};
}

void touch_pack(const std::string& path) { ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

}  // namespace orrery::weights
