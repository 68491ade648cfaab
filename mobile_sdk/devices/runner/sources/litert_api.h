// What the runner uses of LiteRT's C API (litert/c of release 2.3): libLiteRt.so comes in the Python wheel without headers.

#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

typedef struct LiteRtEnvironmentT* LiteRtEnvironment;
typedef struct LiteRtModelT* LiteRtModel;
typedef struct LiteRtOptionsT* LiteRtOptions;
typedef struct LiteRtOpaqueOptionsT* LiteRtOpaqueOptions;
typedef struct LiteRtCompiledModelT* LiteRtCompiledModel;
typedef struct LiteRtSubgraphT* LiteRtSubgraph;
typedef struct LiteRtTensorT* LiteRtTensor;
typedef struct LiteRtTensorBufferT* LiteRtTensorBuffer;
typedef struct LiteRtProfilerT* LiteRtProfiler;
typedef int LiteRtStatus;  // 0: done

enum { kLiteRtHwAcceleratorCpu = 1 };
enum { kLiteRtElementTypeFloat32 = 1, kLiteRtElementTypeUInt8 = 3, kLiteRtElementTypeInt8 = 9 };
enum { kLiteRtHostMemoryAlignment = 64 };
enum { kLiteRtEventOperator = 2, kLiteRtEventDelegatedOperator = 8 };

struct LiteRtLayout {
  unsigned int rank : 7;
  unsigned int has_strides : 1;
  std::int32_t dimensions[8];
  std::uint32_t strides[8];
};

struct LiteRtRankedTensorType {
  int element_type;
  LiteRtLayout layout;
};

struct LiteRtMemoryUsage {
  std::size_t total_allocated_bytes;
  std::size_t in_use_allocated_bytes;
  std::size_t private_footprint_bytes;
};

struct LiteRtProfiledEvent {
  const char* tag;
  int type;
  std::uint64_t start_us;
  std::uint64_t elapsed_us;
  LiteRtMemoryUsage before;
  LiteRtMemoryUsage after;
  std::uint64_t metadata[2];
  int source;
};

LiteRtStatus LiteRtCreateEnvironment(int count, const void* options, LiteRtEnvironment* environment);
void LiteRtDestroyEnvironment(LiteRtEnvironment environment);

LiteRtStatus LiteRtCreateOptions(LiteRtOptions* options);
void LiteRtDestroyOptions(LiteRtOptions options);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions options, int accelerators);
LiteRtStatus LiteRtCreateOpaqueOptions(const char* identifier, void* payload, void (*destroy)(void*),
                                       LiteRtOpaqueOptions* options);
LiteRtStatus LiteRtAddOpaqueOptions(LiteRtOptions options, LiteRtOpaqueOptions opaque_options);

LiteRtStatus LiteRtCreateModelFromFile(LiteRtEnvironment environment, const char* path, LiteRtModel* model);
void LiteRtDestroyModel(LiteRtModel model);
LiteRtStatus LiteRtGetModelSubgraph(LiteRtModel model, std::size_t index, LiteRtSubgraph* subgraph);
LiteRtStatus LiteRtGetSubgraphInput(LiteRtSubgraph subgraph, std::size_t index, LiteRtTensor* tensor);
LiteRtStatus LiteRtGetNumSubgraphOutputs(LiteRtSubgraph subgraph, std::size_t* count);
LiteRtStatus LiteRtGetSubgraphOutput(LiteRtSubgraph subgraph, std::size_t index, LiteRtTensor* tensor);
LiteRtStatus LiteRtGetRankedTensorType(LiteRtTensor tensor, LiteRtRankedTensorType* type);

LiteRtStatus LiteRtCreateTensorBufferFromHostMemory(const LiteRtRankedTensorType* type, void* address, std::size_t bytes,
                                                    void (*destroy)(void*), LiteRtTensorBuffer* buffer);
void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer buffer);

LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment environment, LiteRtModel model, LiteRtOptions options,
                                       LiteRtCompiledModel* compiled);
void LiteRtDestroyCompiledModel(LiteRtCompiledModel compiled);
LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel compiled, std::size_t signature, std::size_t inputs,
                                    LiteRtTensorBuffer* input_buffers, std::size_t outputs,
                                    LiteRtTensorBuffer* output_buffers);

LiteRtStatus LiteRtCompiledModelGetProfiler(LiteRtCompiledModel compiled, LiteRtProfiler* profiler);
LiteRtStatus LiteRtStartProfiler(LiteRtProfiler profiler);
LiteRtStatus LiteRtResetProfiler(LiteRtProfiler profiler);
LiteRtStatus LiteRtGetNumProfilerEvents(LiteRtProfiler profiler, int* count);
LiteRtStatus LiteRtGetProfilerEvents(LiteRtProfiler profiler, int count, LiteRtProfiledEvent* events);
}
