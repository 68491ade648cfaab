// The processor's big cores and this process's memory, from Linux's own files.

#pragma once

#include <vector>

// Keeps this process on the cores of the highest clock (of the highest capacity, where no clock is told) that it may
// use; on all that it may use where they are alike or fewer than `threads`. Returns the cores.
std::vector<int> use_big_cores(unsigned threads);

// Sets the peak of resident memory back to what is resident now; returns that, or a negative number where it cannot.
double forget_peak_mib();

// Resident memory at its highest since then.
double peak_mib();
