#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace orrery {
namespace {

struct FileDescriptor {
  int fd;
  ~FileDescriptor() {
    if (fd >= 0) {
      close(fd);
    }
  }
};

// The file's last page is zero behind its end; where too little of it is left, a page of zeros
// follows.
void* map_padded(int fd, size_t size) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (size % page != 0 && size % page <= page - MappedFile::kPadding) {
    return mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  }
  const size_t all = size + MappedFile::kPadding;
  void* place = mmap(nullptr, all, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) return place;
  void* data = mmap(place, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  if (data == MAP_FAILED) {
    const int error = errno;
    munmap(place, all);
    errno = error;
  }
  return data;
}

int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) {
    const int error = errno;
    const StatusCode code =
        error == ENOENT || error == ENOTDIR ? StatusCode::kNotFound : StatusCode::kIo;
    return Status(code, fmt::format("{}: cannot open: {}", path, std::strerror(error)));
  }
  struct stat info {};
  if (fstat(file.fd, &info) != 0) {
    return io_error("{}: cannot stat: {}", path, std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return invalid_argument("{}: expected a regular file, got a {}", path,
                            S_ISDIR(info.st_mode) ? "folder" : "special file");
  }
  MappedFile result;
  result.name_ = path;
  result.stamp_ = {info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
  if (info.st_size == 0) {
    return result;
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* data = map_padded(file.fd, size);
  if (data == MAP_FAILED) {
    return io_error("{}: cannot map {} bytes: {}", path, size, std::strerror(errno));
  }
  result.data_ = static_cast<const std::byte*>(data);
  result.size_bytes_ = size;
  result.mapped_ = true;
  return result;
}

MappedFile MappedFile::borrow(std::span<const std::byte> bytes, std::string name) {
  MappedFile result;
  result.data_ = bytes.data();
  result.size_bytes_ = bytes.size();
  result.name_ = std::move(name);
  return result;
}

MappedFile::~MappedFile() {
  if (mapped_) {
    munmap(const_cast<std::byte*>(data_), mapped_bytes());
  }
}

void MappedFile::swap(MappedFile& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(mapped_, other.mapped_);
  std::swap(name_, other.name_);
  std::swap(stamp_, other.stamp_);
}

}  // namespace orrery
