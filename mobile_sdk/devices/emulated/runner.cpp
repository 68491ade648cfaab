// runner MODEL.pte PICTURES SCORES
//
// Runs the model once for each picture in the file PICTURES, whose bytes are the input tensor's, one after the other, and
// appends the bytes of each output to the file SCORES. Exit code 6: the runtime refuses the model.

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <vector>

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/runtime/platform/runtime.h>

namespace {

constexpr int kRefused = 6;

int refused(const char* step, executorch::runtime::Error error) {
  std::fprintf(stderr, "%s failed with status 0x%x\n", step, static_cast<unsigned>(error));
  return kRefused;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: runner MODEL.pte PICTURES SCORES\n");
    return 2;
  }
  executorch::runtime::runtime_init();
  executorch::extension::Module module(argv[1]);
  const auto method = module.method_meta("forward");
  if (!method.ok()) {
    return refused("loading", method.error());
  }
  const auto input = method->input_tensor_meta(0);
  if (!input.ok()) {
    return refused("reading the input", input.error());
  }
  const std::vector<executorch::aten::SizesType> sizes(input->sizes().begin(), input->sizes().end());
  std::vector<char> picture(input->nbytes());
  std::ifstream pictures(argv[2], std::ios::binary);
  std::ofstream scores(argv[3], std::ios::binary);
  while (pictures.read(picture.data(), static_cast<std::streamsize>(picture.size()))) {
    const auto tensor = executorch::extension::from_blob(picture.data(), sizes, input->scalar_type());
    const auto result = module.forward(tensor);
    if (!result.ok()) {
      return refused("running", result.error());
    }
    const auto output = (*result)[0].toTensor();
    scores.write(static_cast<const char*>(output.const_data_ptr()), static_cast<std::streamsize>(output.nbytes()));
  }
  return scores.flush() ? 0 : 1;
}
