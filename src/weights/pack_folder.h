// The folder that pack files lie in: who may use it, how much it may hold, and how a file gets
// there in one piece whoever else is at work.
//
// A file is written under its name with ".tmp" behind it, under a lock (flock), and renamed when
// it is on the disk: readers see all of it or nothing. Whoever finds the lock taken writes
// nothing, since another process does. A process that is killed leaves a ".tmp" that nobody
// locks: the next one to write takes it over or removes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace orrery::weights {

// A file descriptor that closes itself. Move-only.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();
  int get() const { return fd_; }

 private:
  int release();
  int fd_;
};

// Makes the folder (and those above it) where it is missing, for this user alone. Errors: kIo;
// kInvalidArgument if it belongs to another user (but root) or others may write in it: they could
// put their weights in the place of ours.
Status prepare_pack_folder(const std::string& folder);

// Removes what is left of writers that were killed, and the pack files not used for longest, until
// `bytes` more fit. All pack files together take at most `max_bytes` and at most half of what they
// and free space have. A file's time of modification is when it was last used. Errors: kIo;
// kResourceExhausted if `bytes` alone exceed the bound.
Status make_room(const std::string& folder, int64_t bytes, int64_t max_bytes);

// A file that is being written. Unless publish() succeeded, destruction removes it.
class PackInProgress {
 public:
  // Reserves `bytes` on the disk where the file system can. Errors: kUnavailable if another
  // process is writing it; kIo.
  static Result<PackInProgress> begin(const std::string& path, int64_t bytes);
  PackInProgress(PackInProgress&&) = default;
  PackInProgress& operator=(PackInProgress&&) = delete;
  ~PackInProgress();

  int fd() const { return file_.get(); }
  // The file, complete and on the disk, gets its name. Errors: kIo.
  Status publish();

 private:
  PackInProgress(std::string path, Descriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}
  std::string path_;
  Descriptor file_;
};

// Notes that a pack file is in use, for make_room.
void touch_pack(const std::string& path);

}  // namespace orrery::weights
