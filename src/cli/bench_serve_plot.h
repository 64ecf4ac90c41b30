// The picture of `bench serve --plot`: how long requests waited, and what the server gave
// meanwhile.
#pragma once

#include <string>
#include <vector>

namespace orrery::cli {

// Times are seconds; those of events are after the start of the run.
struct ServePlot {
  struct End {
    double at_s;
    bool good;  // within both limits
  };
  std::string title = {}, subtitle = {};
  std::vector<double> ttft_s = {}, itl_s = {};  // of each request, of each token but the first
  double ttft_limit_s = 0, itl_limit_s = 0;
  std::vector<double> token_s = {};  // when each token came
  std::vector<End> ends = {};        // of each complete request
  double seconds = 0;                // of the run
};

// An SVG document. What is empty is drawn empty.
std::string serve_plot(const ServePlot& plot);

}  // namespace orrery::cli
