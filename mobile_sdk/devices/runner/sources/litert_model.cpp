// A .tflite, by LiteRT's compiled model on the processor (XNNPACK).

#include <cstdlib>
#include <cstring>
#include <new>

#include "litert_api.h"
#include "model.h"

namespace {

void check(const char* step, LiteRtStatus status) {
  if (status != 0) {
    throw Refused(std::string(step) + " failed with status " + std::to_string(status));
  }
}

// A LiteRT object that is destroyed with its owner.
template <typename Handle, void (*destroy)(Handle)>
struct Owned {
  Handle handle = nullptr;
  Owned() = default;
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (handle != nullptr) {
      destroy(handle);
    }
  }
};

// A tensor's memory, as LiteRT wants it: aligned, and a whole number of alignments long.
class Buffer {
 public:
  explicit Buffer(LiteRtTensor tensor) {
    check("reading a tensor's type", LiteRtGetRankedTensorType(tensor, &type_));
    bytes_ = element_bytes();
    for (unsigned axis = 0; axis < type_.layout.rank; ++axis) {
      bytes_ *= static_cast<std::size_t>(type_.layout.dimensions[axis]);
    }
    const std::size_t alignment = kLiteRtHostMemoryAlignment;
    memory_ = std::aligned_alloc(alignment, (bytes_ + alignment - 1) / alignment * alignment);
    if (memory_ == nullptr) {
      throw std::bad_alloc();
    }
    check("making a buffer", LiteRtCreateTensorBufferFromHostMemory(&type_, memory_, bytes_, nullptr, &buffer.handle));
  }
  ~Buffer() { std::free(memory_); }

  std::size_t bytes() const { return bytes_; }
  bool is_float() const { return type_.element_type == kLiteRtElementTypeFloat32; }
  void* memory() const { return memory_; }

  Owned<LiteRtTensorBuffer, LiteRtDestroyTensorBuffer> buffer;

 private:
  std::size_t element_bytes() const {
    switch (type_.element_type) {
      case kLiteRtElementTypeFloat32:
        return 4;
      case kLiteRtElementTypeUInt8:
      case kLiteRtElementTypeInt8:
        return 1;
      default:
        throw Refused("expected float32, uint8 or int8, found tensor type " + std::to_string(type_.element_type));
    }
  }

  LiteRtRankedTensorType type_{};
  std::size_t bytes_ = 0;
  void* memory_ = nullptr;
};

class LitertModel : public Model {
 public:
  LitertModel(const std::string& path, unsigned threads, bool is_profiled) {
    check("starting LiteRT", LiteRtCreateEnvironment(0, nullptr, &environment_.handle));
    check("loading", LiteRtCreateModelFromFile(environment_.handle, path.c_str(), &model_.handle));
    check("making options", LiteRtCreateOptions(&options_.handle));
    check("choosing the processor", LiteRtSetOptionsHardwareAccelerators(options_.handle, kLiteRtHwAcceleratorCpu));
    add_options("xnnpack", "num_threads = " + std::to_string(threads) + "\n");
    if (is_profiled) {
      add_options("runtime_options_string", "enable_profiling = true\n");
    }
    check("compiling", LiteRtCreateCompiledModel(environment_.handle, model_.handle, options_.handle, &compiled_.handle));
    LiteRtSubgraph graph = nullptr;
    LiteRtTensor input = nullptr;
    std::size_t count = 0;
    check("reading the graph", LiteRtGetModelSubgraph(model_.handle, 0, &graph));
    check("reading the input", LiteRtGetSubgraphInput(graph, 0, &input));
    check("counting the outputs", LiteRtGetNumSubgraphOutputs(graph, &count));
    if (is_profiled) {
      check("opening the profiler", LiteRtCompiledModelGetProfiler(compiled_.handle, &profiler_));
      check("starting the profiler", LiteRtStartProfiler(profiler_));
    }
    input_ = std::make_unique<Buffer>(input);
    for (std::size_t index = 0; index < count; ++index) {
      LiteRtTensor output = nullptr;
      check("reading an output", LiteRtGetSubgraphOutput(graph, index, &output));
      buffers_.push_back(std::make_unique<Buffer>(output));
      handles_.push_back(buffers_.back()->buffer.handle);
      outputs_.push_back({buffers_.back()->bytes(), buffers_.back()->is_float()});
    }
  }

  std::size_t input_bytes() const override { return input_->bytes(); }
  const std::vector<Output>& outputs() const override { return outputs_; }

  void write(const void* input) override { std::memcpy(input_->memory(), input, input_->bytes()); }

  void run() override {
    if (profiler_ != nullptr) {
      check("clearing the profiler", LiteRtResetProfiler(profiler_));
      check("starting the profiler", LiteRtStartProfiler(profiler_));
    }
    check("running", LiteRtRunCompiledModel(compiled_.handle, 0, 1, &input_->buffer.handle, handles_.size(),
                                            handles_.data()));
  }

  void read(void* output) override {
    char* end = static_cast<char*>(output);
    for (const auto& buffer : buffers_) {
      std::memcpy(end, buffer->memory(), buffer->bytes());
      end += buffer->bytes();
    }
  }

  // Other events are of the whole run.
  std::vector<OperatorTime> operator_times() override {
    int count = 0;
    check("counting events", LiteRtGetNumProfilerEvents(profiler_, &count));
    std::vector<LiteRtProfiledEvent> events(static_cast<std::size_t>(count));
    std::vector<OperatorTime> times;
    if (count > 0) {
      check("reading events", LiteRtGetProfilerEvents(profiler_, count, events.data()));
    }
    for (const LiteRtProfiledEvent& event : events) {
      if (event.type == kLiteRtEventOperator || event.type == kLiteRtEventDelegatedOperator) {
        times.push_back({event.tag, static_cast<double>(event.elapsed_us)});
      }
    }
    return times;
  }

 private:
  // LiteRT reads the options of its parts as TOML, each under a name.
  void add_options(const char* name, const std::string& toml) {
    char* payload = static_cast<char*>(std::malloc(toml.size() + 1));
    std::memcpy(payload, toml.c_str(), toml.size() + 1);
    LiteRtOpaqueOptions opaque = nullptr;
    check(name, LiteRtCreateOpaqueOptions(name, payload, std::free, &opaque));
    check(name, LiteRtAddOpaqueOptions(options_.handle, opaque));
  }

  // Destroyed from the last to the first: buffers, then the compiled model, then what it was made from.
  Owned<LiteRtEnvironment, LiteRtDestroyEnvironment> environment_;
  Owned<LiteRtModel, LiteRtDestroyModel> model_;
  Owned<LiteRtOptions, LiteRtDestroyOptions> options_;
  Owned<LiteRtCompiledModel, LiteRtDestroyCompiledModel> compiled_;
  LiteRtProfiler profiler_ = nullptr;  // the compiled model's own
  std::unique_ptr<Buffer> input_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<LiteRtTensorBuffer> handles_;
  std::vector<Output> outputs_;
};

}  // namespace

const char* const kModelFile = "model.tflite";

std::string xnnpack_build() { return ""; }  // it lies inside libLiteRt.so, which exports nothing of it

std::unique_ptr<Model> load_model(const std::string& path, unsigned threads, bool is_profiled) {
  return std::make_unique<LitertModel>(path, threads, is_profiled);
}
