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

class Model {
 public:
  virtual ~Model() = default;
  virtual std::size_t input_bytes() const = 0;
  virtual const std::vector<Output>& outputs() const = 0;
  // Reads input_bytes() at `input`, writes the outputs one after another at `output`. Throws Refused.
  virtual void run(const void* input, void* output) = 0;

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

// Loads the model for `threads` threads. Throws Refused.
std::unique_ptr<Model> load_model(const std::string& path, unsigned threads);
