// One loaded model with one input and some outputs, whatever runtime computes it.

#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// The runtime refuses the model file.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a model gives as one tensor.
struct Output {
  std::size_t bytes;
  bool is_float;
};

// How long an operator took, under the name that its kernel has in the runtime.
struct OperatorTime {
  std::string name;
  double us;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual std::size_t input_bytes() const = 0;
  virtual const std::vector<Output>& outputs() const = 0;
  // One run in three parts, so that the model alone can be timed: reads input_bytes() at `input`; runs on them, which
  // throws Refused where the runtime does; writes the outputs of the last run one after another at `output`.
  virtual void write(const void* input) = 0;
  virtual void run() = 0;
  virtual void read(void* output) = 0;
  // The operators of the last run, in their order; of a model that was loaded for it.
  virtual std::vector<OperatorTime> operator_times() = 0;

  std::size_t output_bytes() const {
    std::size_t bytes = 0;
    for (const Output& output : outputs()) {
      bytes += output.bytes;
    }
    return bytes;
  }
};

// The model's name in a bundle of this runtime.
extern const char* const kModelFile;

// The build of XNNPACK inside the runtime's library, in hexadecimal digits; empty where the library does not tell it.
std::string xnnpack_build();

// Loads the model for `threads` threads, and so that it times its operators if `is_profiled`. Throws Refused.
std::unique_ptr<Model> load_model(const std::string& path, unsigned threads, bool is_profiled = false);
