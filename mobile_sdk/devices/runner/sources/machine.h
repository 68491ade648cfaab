// The processor's big cores and this process's memory, from Linux's own files.

#pragma once

#include <string>
#include <vector>

// The file of the system that a runtime needs and this device does not show, or an empty text.
std::string missing_system_file();

// Keeps this process on the cores of the highest clock (of the highest capacity, where no clock is told) that it may
// use: on as many as threads, and on those that are as fast as the slowest of these. Returns the cores.
std::vector<int> use_big_cores(unsigned threads);

// Sets the peak of resident memory back to what is resident now; returns that, or a negative number where it cannot.
double forget_peak_mib();

// Resident memory at its highest since then.
double peak_mib();
