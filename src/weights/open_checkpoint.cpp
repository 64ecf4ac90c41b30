#include "weights/open_checkpoint.h"

#include "weights/hf_cache.h"
#include "weights/synthetic.h"

namespace orrery::weights {

Result<Checkpoint> open_checkpoint(const std::string& model) {
  if (model.starts_with(kSyntheticPrefix)) return open_synthetic(model);
  ASSIGN_OR_RETURN(const std::string path, resolve_model_path(model));
  return Checkpoint::open(path);
}

}  // namespace orrery::weights
