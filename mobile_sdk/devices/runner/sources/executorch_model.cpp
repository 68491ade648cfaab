// A .pte, by ExecuTorch's Module.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/runtime/core/event_tracer.h>
#include <executorch/runtime/platform/clock.h>
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

// XNNPACK's headers are not shipped either. The identifier is a digest of the sources of its kernels.
extern "C" {
std::size_t xnn_experimental_get_build_identifier_size();
const void* xnn_experimental_get_build_identifier_data();
}

namespace {

using executorch::runtime::Error;

void check(const char* step, Error error) {
  if (error != Error::Ok) {
    char text[80];
    std::snprintf(text, sizeof text, "%s failed with status 0x%x", step, static_cast<unsigned>(error));
    throw Refused(text);
  }
}

// Keeps the times that the delegate tells of its operators, in ticks of the platform, and nothing else.
class OperatorTracer : public executorch::runtime::EventTracer {
 public:
  using Name = const char*;
  using Index = executorch::runtime::DelegateDebugIntId;
  using Tensor = executorch::aten::Tensor;
  template <typename Kind>
  using Result = executorch::runtime::Result<Kind>;

  std::vector<OperatorTime> times;

  void create_event_block(Name) override {}
  executorch::runtime::EventTracerEntry start_profiling(Name, executorch::runtime::ChainID,
                                                        executorch::runtime::DebugHandle) override {
    return {};
  }
  executorch::runtime::EventTracerEntry start_profiling_delegate(Name, Index) override { return {}; }
  void end_profiling_delegate(executorch::runtime::EventTracerEntry, const void*, size_t) override {}
  void end_profiling(executorch::runtime::EventTracerEntry) override {}
  void log_profiling_delegate(Name name, Index, et_timestamp_t start, et_timestamp_t end, const void*, size_t) override {
    const double ns = static_cast<double>(executorch::runtime::ticks_to_ns(end - start));
    times.push_back({name == nullptr ? "" : name, ns / 1000});
  }
  void track_allocation(executorch::runtime::AllocatorID, size_t) override {}
  executorch::runtime::AllocatorID track_allocator(Name) override { return 0; }
  Result<bool> log_evalue(const executorch::runtime::EValue&, executorch::runtime::LoggedEValueType) override {
    return false;
  }
  Result<bool> log_intermediate_output_delegate(Name, Index, const Tensor&) override { return false; }
  Result<bool> log_intermediate_output_delegate(Name, Index, const executorch::runtime::ArrayRef<Tensor>) override {
    return false;
  }
  Result<bool> log_intermediate_output_delegate(Name, Index, const int&) override { return false; }
  Result<bool> log_intermediate_output_delegate(Name, Index, const bool&) override { return false; }
  Result<bool> log_intermediate_output_delegate(Name, Index, const double&) override { return false; }
  void set_delegation_intermediate_output_filter(executorch::runtime::EventTracerFilterBase*) override {}
};

class ExecutorchModel : public Model {
 public:
  ExecutorchModel(const std::string& path, std::unique_ptr<OperatorTracer> tracer)
      : tracer_(tracer.get()),
        module_(path, executorch::extension::Module::LoadMode::File, std::move(tracer)) {
    check("loading", module_.load_forward());
    const auto method = module_.method_meta("forward");
    check("reading the method", method.error());
    const auto input = method->input_tensor_meta(0);
    check("reading the input", input.error());
    sizes_.assign(input->sizes().begin(), input->sizes().end());
    type_ = input->scalar_type();
    input_.resize(input->nbytes());
    tensor_ = executorch::extension::from_blob(input_.data(), sizes_, type_);
    for (std::size_t index = 0; index < method->num_outputs(); ++index) {
      const auto output = method->output_tensor_meta(index);
      check("reading an output", output.error());
      outputs_.push_back({output->nbytes(), output->scalar_type() == executorch::aten::ScalarType::Float});
    }
  }

  std::size_t input_bytes() const override { return input_.size(); }
  const std::vector<Output>& outputs() const override { return outputs_; }

  void write(const void* input) override { std::memcpy(input_.data(), input, input_.size()); }

  void run() override {
    if (tracer_ != nullptr) {
      tracer_->times.clear();
    }
    auto result = module_.forward(tensor_);
    check("running", result.error());
    found_ = std::move(*result);
  }

  void read(void* output) override {
    char* end = static_cast<char*>(output);
    for (std::size_t index = 0; index < outputs_.size(); ++index) {
      std::memcpy(end, found_[index].toTensor().const_data_ptr(), outputs_[index].bytes);
      end += outputs_[index].bytes;
    }
  }

  std::vector<OperatorTime> operator_times() override { return tracer_->times; }

 private:
  OperatorTracer* tracer_;
  executorch::extension::Module module_;
  std::vector<executorch::aten::SizesType> sizes_;
  executorch::aten::ScalarType type_;
  std::vector<char> input_;
  executorch::extension::TensorPtr tensor_;  // whose numbers are those of input_
  std::vector<executorch::runtime::EValue> found_;
  std::vector<Output> outputs_;
};

}  // namespace

const char* const kModelFile = "model.pte";

std::string xnnpack_build() {
  const auto* bytes = static_cast<const unsigned char*>(xnn_experimental_get_build_identifier_data());
  std::string digits;
  for (std::size_t index = 0; index < xnn_experimental_get_build_identifier_size(); ++index) {
    char text[3];
    std::snprintf(text, sizeof text, "%02x", bytes[index]);
    digits += text;
  }
  return digits;
}

std::unique_ptr<Model> load_model(const std::string& path, unsigned threads, bool is_profiled) {
  executorch::runtime::runtime_init();
  executorch::extension::threadpool::get_threadpool()->_unsafe_reset_threadpool(threads);
  return std::make_unique<ExecutorchModel>(path, is_profiled ? std::make_unique<OperatorTracer>() : nullptr);
}
