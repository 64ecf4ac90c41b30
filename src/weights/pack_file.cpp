#include "weights/pack_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "weights/checked.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orrery::weights {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr int64_t kPage = 4096;
constexpr char kMagic[8] = {'O', 'R', 'R', 'P', 'A', 'C', 'K', '\n'};
constexpr uint64_t kVersion = 1;

struct Header {
  char magic[8];
  uint64_t version;
  PackKey key;
  uint64_t file_bytes;
  uint64_t table_offset, num_tensors, name_bytes;
  uint64_t table_sum;   // of records and names
  uint64_t header_sum;  // of all fields above
};
static_assert(sizeof(Header) == 80);

struct Record {
  uint64_t offset, bytes, sum;
  int64_t n, k;
  uint32_t dtype, name_bytes;
};
static_assert(sizeof(Record) == 48);

uint64_t sum_of(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

uint64_t sum_of(const Header& header) { return XXH3_64bits(&header, offsetof(Header, header_sum)); }

// Header and table of a file, or what is wrong with them.
Result<Header> read_header(const MappedFile& file, const PackKey& key) {
  const auto wrong = [&](std::string_view what) {
    return malformed("{}: not a whole file of packed weights: {}", file.name(), what);
  };
  Header header{};
  if (file.size() < static_cast<size_t>(kPage)) return wrong("too short");
  std::memcpy(&header, file.bytes().data(), sizeof(header));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) return wrong("magic");
  if (header.version != kVersion) return wrong("version");
  if (header.header_sum != sum_of(header)) return wrong("sum of the header");
  if (header.key != key) return malformed("{}: packed from other files", file.name());
  const CheckedSize table =
      CheckedSize(header.num_tensors) * sizeof(Record) + CheckedSize(header.name_bytes);
  const CheckedSize end = CheckedSize(header.table_offset) + table;
  if (header.file_bytes != file.size() || !end.at_most(file.size()) || end.value() != file.size() ||
      header.table_offset < static_cast<uint64_t>(kPage))
    return wrong("size");
  if (header.table_sum != sum_of(file.bytes().subspan(header.table_offset)))
    return wrong("sum of the table");
  return header;
}

bool write_all(int fd, std::span<const std::byte> bytes, int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += n;
  }
  return true;
}

Status write_error(int error) { return io_error("cannot write: {}", std::strerror(error)); }

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

Result<PackFile> PackFile::open(const std::string& path, const PackKey& key) {
  PackFile pack;
  ASSIGN_OR_RETURN(pack.file_, MappedFile::open(path));
  ASSIGN_OR_RETURN(const Header header, read_header(pack.file_, key));
  const std::span<const std::byte> bytes = pack.file_.bytes();
  size_t record_at = header.table_offset;
  size_t name_at = record_at + header.num_tensors * sizeof(Record);
  for (uint64_t i = 0; i < header.num_tensors; ++i, record_at += sizeof(Record)) {
    Record record{};
    std::memcpy(&record, bytes.data() + record_at, sizeof(record));
    const CheckedSize end = CheckedSize(record.offset) + record.bytes;
    if (record.offset < static_cast<uint64_t>(kPage) || record.offset % kPage != 0 ||
        !end.at_most(header.table_offset) || record.name_bytes > bytes.size() - name_at ||
        record.dtype > static_cast<uint32_t>(DType::kQ6_K))
      return malformed("{}: tensor {} of the table lies outside of the file", path, i);
    const std::string_view name = pack.file_.text().substr(name_at, record.name_bytes);
    name_at += record.name_bytes;
    pack.tensors_[name] = {static_cast<DType>(record.dtype), record.n, record.k,
                           bytes.subspan(record.offset, record.bytes), record.sum};
  }
  return pack;
}

const PackedTensor* PackFile::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

void PackFile::prefetch() {
  static constexpr size_t kPart = size_t{4} << 20;
  // A fault maps what the page cache has of 64 KiB around it (fault_around_bytes), so a byte of
  // each is read. MADV_POPULATE_READ takes as long, and all the while a lock that other threads'
  // mmap and munmap wait for: the second start of a model of 0.8 GB took a fifth longer.
  static constexpr size_t kAround = size_t{64} << 10;
  const auto touch = [bytes = file_.bytes()](const std::stop_token& stop) {
    for (size_t at = 0; at < bytes.size() && !stop.stop_requested(); at += kPart) {
      const size_t size = std::min(kPart, bytes.size() - at);
      ::madvise(const_cast<std::byte*>(bytes.data() + at), size, MADV_WILLNEED);
      if (bytes.size() - at <= kLeftBytes) continue;
      for (size_t i = 0; i < size; i += kAround)
        *static_cast<const volatile std::byte*>(bytes.data() + at + i);
    }
  };
  try {
    prefetch_ = std::jthread(touch);
  } catch (const std::system_error&) {  // no more threads: the same
  }
}

Status PackFile::verify() const {
  for (const auto& [name, tensor] : tensors_) {
    if (sum_of(tensor.bytes) != tensor.sum)
      return malformed("{}: tensor {} is not what was written", path(), name);
  }
  return {};
}

Status PackFileWriter::add(const std::string& name, DType dtype, int64_t n, int64_t k,
                           std::span<const std::byte> bytes) {
  const int64_t offset = std::max(kPage, (end_ + kPage - 1) / kPage * kPage);
  if (!write_all(fd_, bytes, offset)) return write_error(errno);
  const auto size = static_cast<int64_t>(bytes.size());
  // The disk writes while the next tensor is packed, so that the wait at the end is short.
  ::sync_file_range(fd_, offset, size, SYNC_FILE_RANGE_WRITE);
  end_ = offset + size;
  added_.push_back({name, dtype, n, k, offset, size, sum_of(bytes)});
  return {};
}

Status PackFileWriter::finish(const PackKey& key) {
  std::vector<std::byte> table;
  const auto append = [&](std::span<const std::byte> bytes) {
    table.insert(table.end(), bytes.begin(), bytes.end());
  };
  uint64_t name_bytes = 0;
  for (const Added& t : added_) {
    append(bytes_of(Record{static_cast<uint64_t>(t.offset), static_cast<uint64_t>(t.bytes), t.sum,
                           t.n, t.k, static_cast<uint32_t>(t.dtype),
                           static_cast<uint32_t>(t.name.size())}));
    name_bytes += t.name.size();
  }
  for (const Added& t : added_) append(std::as_bytes(std::span(t.name)));
  const int64_t table_offset = std::max(kPage, end_);
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.key = key;
  header.table_offset = static_cast<uint64_t>(table_offset);
  header.num_tensors = added_.size();
  header.name_bytes = name_bytes;
  header.file_bytes = header.table_offset + table.size();
  header.table_sum = sum_of(table);
  header.header_sum = sum_of(header);
  // A size that was reserved beyond the end goes back; the tensors are on the disk before the
  // header that vouches for them.
  if (!write_all(fd_, table, table_offset) ||
      ::ftruncate(fd_, static_cast<off_t>(header.file_bytes)) != 0 || ::fsync(fd_) != 0 ||
      !write_all(fd_, bytes_of(header), 0) || ::fsync(fd_) != 0)
    return write_error(errno);
  return {};
}

}  // namespace orrery::weights
