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

std::vector<int> use_big_cores(unsigned threads) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return {};
  }
  std::vector<int> usable, big;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) {
      usable.push_back(core);
    }
  }
  long best = -1;
  for (const int core : usable) {
    best = std::max(best, speed_of(core));
  }
  std::copy_if(usable.begin(), usable.end(), std::back_inserter(big), [best](int core) { return speed_of(core) == best; });
  if (big.size() < threads) {
    return usable;
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
