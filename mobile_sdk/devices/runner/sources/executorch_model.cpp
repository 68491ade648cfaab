// A .pte, by ExecuTorch's Module.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/runtime/platform/runtime.h>

#include "model.h"

// The wheel ships this library without its header, so what is used of it is declared here.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  bool _unsafe_reset_threadpool(std::uint32_t threads);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace {

using executorch::runtime::Error;

void check(const char* step, Error error) {
  if (error != Error::Ok) {
    char text[80];
    std::snprintf(text, sizeof text, "%s failed with status 0x%x", step, static_cast<unsigned>(error));
    throw Refused(text);
  }
}

class ExecutorchModel : public Model {
 public:
  explicit ExecutorchModel(const std::string& path) : module_(path) {
    check("loading", module_.load_forward());
    const auto method = module_.method_meta("forward");
    check("reading the method", method.error());
    const auto input = method->input_tensor_meta(0);
    check("reading the input", input.error());
    sizes_.assign(input->sizes().begin(), input->sizes().end());
    type_ = input->scalar_type();
    input_bytes_ = input->nbytes();
    for (std::size_t index = 0; index < method->num_outputs(); ++index) {
      const auto output = method->output_tensor_meta(index);
      check("reading an output", output.error());
      outputs_.push_back({output->nbytes(), output->scalar_type() == executorch::aten::ScalarType::Float});
    }
  }

  std::size_t input_bytes() const override { return input_bytes_; }
  const std::vector<Output>& outputs() const override { return outputs_; }

  void run(const void* input, void* output) override {
    const auto tensor = executorch::extension::from_blob(const_cast<void*>(input), sizes_, type_);
    const auto result = module_.forward(tensor);
    check("running", result.error());
    char* end = static_cast<char*>(output);
    for (std::size_t index = 0; index < outputs_.size(); ++index) {
      std::memcpy(end, (*result)[index].toTensor().const_data_ptr(), outputs_[index].bytes);
      end += outputs_[index].bytes;
    }
  }

 private:
  executorch::extension::Module module_;
  std::vector<executorch::aten::SizesType> sizes_;
  executorch::aten::ScalarType type_;
  std::size_t input_bytes_;
  std::vector<Output> outputs_;
};

}  // namespace

const char* const kModelFile = "model.pte";

std::unique_ptr<Model> load_model(const std::string& path, unsigned threads) {
  executorch::runtime::runtime_init();
  executorch::extension::threadpool::get_threadpool()->_unsafe_reset_threadpool(threads);
  return std::make_unique<ExecutorchModel>(path);
}
