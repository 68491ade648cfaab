// One loaded model with one input and one output, whatever runtime computes it.

#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

// The runtime refuses the model file.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual std::size_t input_bytes() const = 0;
  virtual std::size_t output_bytes() const = 0;
  virtual bool has_float_output() const = 0;
  // Reads input_bytes() at `input`, writes output_bytes() at `output`. Throws Refused.
  virtual void run(const void* input, void* output) = 0;
};

// The model's name in a bundle of this runtime.
extern const char* const kModelFile;

// Loads the model for `threads` threads. Throws Refused.
std::unique_ptr<Model> load_model(const std::string& path, unsigned threads);
