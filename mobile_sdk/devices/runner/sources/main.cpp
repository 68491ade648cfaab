// Runs one model on the device that it was pushed to.
//
//   runner check                                  looks whether the device tells what the runtimes ask, and says "ready" and
//                                                 the build of XNNPACK inside
//   runner score FOLDER THREADS PICTURES SCORES   runs each picture of the file PICTURES once, whose bytes are the input
//                                                 tensor's, and writes the outputs' bytes to the file SCORES
//   runner time FOLDER THREADS TOLERANCES         replays the golden pictures, whose outputs may each differ by one of
//                                                 TOLERANCES, a list with commas in their units, warms up, and then answers each {"runs": N} on standard
//                                                 input; its end is the end
//   runner layers FOLDER THREADS RUNS             replays golden pictures RUNS times after a warm-up, and tells how long each
//                                                 operator took in each run
//
// FOLDER holds the model, golden/N.input.bin and golden/N.output.bin, and files.sha256, a line "digest  name" for every
// file; all are checked first. Answers are JSON, a line each, on standard output. What goes wrong is one, too, with the
// name of the Python error that it stands for: BundleError ends with exit code 6, MachineError with 7.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <vector>

#include "machine.h"
#include "model.h"
#include "sha256.h"

namespace {

using Bytes = std::vector<char>;

constexpr int kRefused = 6, kCannotRun = 7;
constexpr int kWarmUpRuns = 5;  // two groups of so many runs whose medians agree end the warm-up
constexpr double kWarmUpAgreement = 0.05;
constexpr double kWarmUpMs = 2000;  // and this ends it in any case

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string quoted(const std::string& text) {
  std::string json = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      json += '\\';
    }
    json += static_cast<unsigned char>(letter) < ' ' ? ' ' : letter;
  }
  return json + '"';
}

template <typename Number>
std::string list(const std::vector<Number>& numbers) {
  std::ostringstream json;
  json.precision(9);
  const char* comma = "[";
  for (const Number& number : numbers) {
    json << comma << number;
    comma = ", ";
  }
  return numbers.empty() ? "[]" : json.str() + "]";
}

void reply(const std::string& fields) { std::cout << '{' << fields << '}' << std::endl; }

int fail(const char* error, const char* hint, const std::string& message, int code) {
  reply("\"error\": " + quoted(error) + ", \"message\": " + quoted(message) + ", \"hint\": " + quoted(hint));
  return code;
}

Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("expected the file " + path + ", found none");
  }
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

void check_files(const std::string& folder) {
  std::ifstream lines(folder + "/files.sha256");
  bool has_model = false;
  for (std::string digest, name; lines >> digest >> name; has_model = has_model || name == kModelFile) {
    if (sha256_of_file(folder + "/" + name) != digest) {
      throw std::runtime_error("expected " + name + " as it was sent, found other bytes");
    }
  }
  if (!has_model) {
    throw std::runtime_error(std::string("expected ") + kModelFile + " in files.sha256, found it missing");
  }
}

// A picture of the bundle, and what the model must make of it.
struct Golden {
  Bytes input, output;
};

std::vector<Golden> read_goldens(const std::string& folder, const Model& model) {
  std::vector<Golden> goldens;
  for (int index = 0;; ++index) {
    const std::string path = folder + "/golden/" + std::to_string(index);
    if (!std::ifstream(path + ".input.bin")) {
      break;
    }
    goldens.push_back({read_file(path + ".input.bin"), read_file(path + ".output.bin")});
    if (goldens.back().input.size() != model.input_bytes() || goldens.back().output.size() != model.output_bytes()) {
      throw Refused("golden picture " + std::to_string(index) + " is not of the model's size");
    }
  }
  if (goldens.empty()) {
    throw Refused("there are no golden pictures to run");
  }
  return goldens;
}

double distance(const Bytes& found, const Bytes& expected, std::size_t start, const Output& output) {
  double largest = 0;
  const bool is_float = output.is_float;
  const std::size_t step = is_float ? sizeof(float) : 1;
  for (std::size_t at = start; at < start + output.bytes; at += step) {
    float a = static_cast<signed char>(found[at]), b = static_cast<signed char>(expected[at]);
    if (is_float) {
      std::memcpy(&a, &found[at], step);
      std::memcpy(&b, &expected[at], step);
    }
    const double apart = std::fabs(static_cast<double>(a) - b);
    largest = std::isnan(apart) ? HUGE_VAL : std::max(largest, apart);
  }
  return largest;
}

// Returns what is to be said of float outputs beyond their tolerance: another order of summation is no other model, but
// such times support no verdict. Throws Refused for other codes of int8.
std::string replay(Model& model, const std::vector<Golden>& goldens, const std::vector<double>& tolerances) {
  if (tolerances.size() != model.outputs().size()) {
    throw Refused("expected a tolerance for each output");
  }
  Bytes output(model.output_bytes());
  std::string remark;
  for (std::size_t index = 0; index < goldens.size(); ++index) {
    model.write(goldens[index].input.data());
    model.run();
    model.read(output.data());
    std::size_t start = 0;
    for (std::size_t part = 0; part < tolerances.size(); start += model.outputs()[part++].bytes) {
      const double apart = distance(output, goldens[index].output, start, model.outputs()[part]);
      if (apart > tolerances[part]) {
        std::ostringstream message;
        message << "expected the scores of golden picture " << index << ", found others, " << apart << " apart where "
                << tolerances[part] << " is allowed";
        if (!model.outputs()[part].is_float || std::isinf(apart)) {
          throw Refused(message.str());
        }
        remark = remark.empty() ? message.str() : remark;
      }
    }
  }
  return remark;
}

std::vector<double> measure(Model& model, const std::vector<Golden>& goldens, long runs) {
  std::vector<double> times_ms;
  for (long run = 0; run < runs; ++run) {
    model.write(goldens[run % goldens.size()].input.data());
    const double start_ms = now_ms();
    model.run();
    times_ms.push_back(now_ms() - start_ms);
  }
  return times_ms;
}

double last_median(const std::vector<double>& times_ms) {
  std::vector<double> last(times_ms.end() - kWarmUpRuns, times_ms.end());
  std::nth_element(last.begin(), last.begin() + kWarmUpRuns / 2, last.end());
  return last[kWarmUpRuns / 2];
}

std::vector<double> warm_up(Model& model, const std::vector<Golden>& goldens) {
  const double end_ms = now_ms() + kWarmUpMs;
  std::vector<double> times_ms = measure(model, goldens, kWarmUpRuns);
  while (now_ms() < end_ms) {
    const double before_ms = last_median(times_ms);
    const std::vector<double> more_ms = measure(model, goldens, kWarmUpRuns);
    times_ms.insert(times_ms.end(), more_ms.begin(), more_ms.end());
    if (std::fabs(last_median(times_ms) / before_ms - 1) < kWarmUpAgreement) {
      break;
    }
  }
  return times_ms;
}

void score(const std::string& folder, unsigned threads, const char* pictures_path, const char* scores_path) {
  const double start_ms = now_ms();
  const auto model = load_model(folder + "/" + kModelFile, threads);
  const double load_ms = now_ms() - start_ms;
  Bytes picture(model->input_bytes()), output(model->output_bytes());
  std::ifstream pictures(pictures_path, std::ios::binary);
  std::ofstream scores(scores_path, std::ios::binary);
  std::vector<double> times_ms;
  while (pictures.read(picture.data(), static_cast<std::streamsize>(picture.size()))) {
    if (access(folder.c_str(), F_OK) != 0) {
      throw std::runtime_error("expected the folder to stay, found it removed: nobody waits for the scores any more");
    }
    model->write(picture.data());
    const double run_start_ms = now_ms();
    model->run();
    times_ms.push_back(now_ms() - run_start_ms);
    model->read(output.data());
    scores.write(output.data(), static_cast<std::streamsize>(output.size()));
  }
  scores.close();
  if (!scores) {
    throw std::runtime_error(std::string("expected to write ") + scores_path + ", found no room or no right to");
  }
  std::ostringstream done;
  done.precision(9);
  done << "\"load_ms\": " << load_ms << ", \"times_ms\": " << list(times_ms);
  reply(done.str());
}

// The numbers of a list with commas.
std::vector<double> numbers(const std::string& text) {
  std::vector<double> found;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    found.push_back(std::strtod(part.c_str(), nullptr));
  }
  return found;
}

void time_runs(const std::string& folder, unsigned threads, const std::vector<double>& tolerances,
               const std::vector<int>& cores) {
  const double before_mib = forget_peak_mib();
  const double start_ms = now_ms();
  const auto model = load_model(folder + "/" + kModelFile, threads);
  const double load_ms = now_ms() - start_ms;
  const std::vector<Golden> goldens = read_goldens(folder, *model);
  const std::vector<double> first_ms = measure(*model, goldens, 1);
  const std::string remark = replay(*model, goldens, tolerances);
  const std::vector<double> warm_up_ms = warm_up(*model, goldens);
  std::ostringstream ready;
  ready.precision(9);
  ready << "\"load_ms\": " << load_ms << ", \"first_run_ms\": " << first_ms[0] << ", \"warm_up_ms\": " << list(warm_up_ms)
        << ", \"cores\": " << list(cores) << ", \"remark\": " << (remark.empty() ? "null" : quoted(remark));
  reply(ready.str());
  long runs = 0;
  for (std::string request; std::getline(std::cin, request) && std::sscanf(request.c_str(), "{\"runs\": %ld}", &runs) == 1;) {
    const std::vector<double> rewarm_ms = measure(*model, goldens, 1), times_ms = measure(*model, goldens, runs);
    std::ostringstream turn;
    turn.precision(9);
    turn << "\"rewarm_ms\": " << rewarm_ms[0] << ", \"times_ms\": " << list(times_ms) << ", \"peak_mib\": ";
    before_mib < 0 ? turn << "null" : turn << peak_mib() - before_mib;
    reply(turn.str());
  }
}

void time_operators(const std::string& folder, unsigned threads, long runs) {
  const auto model = load_model(folder + "/" + kModelFile, threads, true);
  const std::vector<Golden> goldens = read_goldens(folder, *model);
  warm_up(*model, goldens);
  std::vector<std::string> names, times_us;
  std::vector<double> runs_us;
  for (long run = 0; run < runs; ++run) {
    runs_us.push_back(1000 * measure(*model, goldens, 1)[0]);
    std::vector<std::string> found;
    std::vector<double> each_us;
    for (const OperatorTime& time : model->operator_times()) {
      found.push_back(quoted(time.name));
      each_us.push_back(time.us);
    }
    if (run > 0 && found != names) {
      throw Refused("its operators are others in each run");
    }
    names = found;
    times_us.push_back(list(each_us));
  }
  reply("\"operators\": " + list(names) + ", \"times_us\": " + list(times_us) + ", \"runs_us\": " + list(runs_us));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "check" && argc == 2) {
    const std::string missing = missing_system_file();
    if (!missing.empty()) {
      return fail("MachineError", "the runtimes count cores there, and crash without", "expected " + missing + ", found that it cannot be read", kCannotRun);
    }
    reply("\"ready\": true, \"xnnpack_build\": " + quoted(xnnpack_build()));
    return 0;
  }
  if (!(mode == "score" && argc == 6) && !((mode == "time" || mode == "layers") && argc == 5)) {
    std::cerr << "usage: runner check | runner score FOLDER THREADS PICTURES SCORES | runner time FOLDER THREADS TOLERANCES | "
                 "runner layers FOLDER THREADS RUNS\n";
    return 2;
  }
  const std::string folder = argv[2];
  const unsigned threads = static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10));
  try {
    check_files(folder);
    const std::vector<int> cores = use_big_cores(threads);
    if (mode == "score") {
      score(folder, threads, argv[4], argv[5]);
    } else if (mode == "time") {
      time_runs(folder, threads, numbers(argv[4]), cores);
    } else {
      time_operators(folder, threads, std::strtol(argv[4], nullptr, 10));
    }
  } catch (const Refused& refused) {
    return fail("BundleError", "export it again", refused.what(), kRefused);
  } catch (const std::exception& error) {
    return fail("MachineError", "look for free space and memory on the device, and try again", error.what(), kCannotRun);
  }
  return 0;
}
