#include "machine.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

long read_number(const std::string& path) {
  std::ifstream file(path);
  long number = -1;
  return file >> number ? number : -1;
}

long speed_of(int core) {
  const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(core);
  const long clock_khz = read_number(folder + "/cpufreq/cpuinfo_max_freq");
  return clock_khz > 0 ? clock_khz : read_number(folder + "/cpu_capacity");
}

double status_mib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) {
      return std::strtod(line.c_str() + field.size() + 1, nullptr) / 1024;
    }
  }
  return -1;
}

}  // namespace

std::string missing_system_file() {
  for (const char* path : {"/sys/devices/system/cpu/possible", "/sys/devices/system/cpu/present"}) {
    if (std::ifstream file(path); file.peek() == std::ifstream::traits_type::eof()) {
      return path;
    }
  }
  return "";
}

std::vector<int> use_big_cores(unsigned threads) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return {};
  }
  std::vector<int> usable, big;
  std::vector<long> speeds;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) {
      usable.push_back(core);
      speeds.push_back(speed_of(core));
    }
  }
  std::vector<long> fastest = speeds;
  std::sort(fastest.rbegin(), fastest.rend());
  const long least = fastest[std::min<std::size_t>(std::max(threads, 1u), fastest.size()) - 1];
  for (std::size_t index = 0; index < usable.size(); ++index) {
    if (speeds[index] >= least) {
      big.push_back(usable[index]);
    }
  }
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  for (const int core : big) {
    CPU_SET(core, &chosen);
  }
  return sched_setaffinity(0, sizeof chosen, &chosen) == 0 ? big : usable;
}

double forget_peak_mib() {
  std::ofstream file("/proc/self/clear_refs");
  file << 5;
  file.close();
  return file ? status_mib("VmRSS") : -1;
}

double peak_mib() { return status_mib("VmHWM"); }
