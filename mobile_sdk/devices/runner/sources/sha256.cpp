#include "sha256.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <vector>

namespace {

using Block = std::array<std::uint8_t, 64>;
using State = std::array<std::uint32_t, 8>;

// The first 32 bits of the fractional part of `root` of the first primes: FIPS 180-4, 4.2.2 and 5.3.3.
template <std::size_t count>
std::array<std::uint32_t, count> root_bits(long double (*root)(long double)) {
  std::array<std::uint32_t, count> bits{};
  std::size_t found = 0;
  for (unsigned candidate = 2; found < count; ++candidate) {
    bool is_prime = true;
    for (unsigned divisor = 2; divisor * divisor <= candidate; ++divisor) {
      is_prime = is_prime && candidate % divisor != 0;
    }
    if (is_prime) {
      const long double value = root(candidate);
      bits[found++] = static_cast<std::uint32_t>(std::floor((value - std::floor(value)) * 4294967296.0L));
    }
  }
  return bits;
}

std::uint32_t rotate(std::uint32_t word, int count) { return word >> count | word << (32 - count); }

void digest_block(const Block& block, State& state) {
  static const std::array<std::uint32_t, 64> kRounds = root_bits<64>(std::cbrt);
  std::array<std::uint32_t, 64> w{};
  for (int i = 0; i < 64; ++i) {
    if (i < 16) {
      w[i] = block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
    } else {
      const std::uint32_t near = w[i - 2], far = w[i - 15];
      w[i] = w[i - 16] + (rotate(far, 7) ^ rotate(far, 18) ^ far >> 3) + w[i - 7] +
             (rotate(near, 17) ^ rotate(near, 19) ^ near >> 10);
    }
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (int i = 0; i < 64; ++i) {
    const std::uint32_t first =
        h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + kRounds[i] + w[i];
    const std::uint32_t second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
  }
  const State added{a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) {
    state[i] += added[i];
  }
}

}  // namespace

std::string sha256_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("expected the file " + path + ", found none");
  }
  State state = root_bits<8>(std::sqrt);
  Block block{};
  std::uint64_t bytes = 0;
  std::size_t filled = 0;
  while (file.read(reinterpret_cast<char*>(block.data()), block.size()), filled = file.gcount(), filled == block.size()) {
    digest_block(block, state);
    bytes += filled;
  }
  bytes += filled;
  block[filled++] = 0x80;
  if (filled > 56) {
    std::fill(block.begin() + filled, block.end(), 0);
    digest_block(block, state);
    filled = 0;
  }
  std::fill(block.begin() + filled, block.end(), 0);
  for (int i = 0; i < 8; ++i) {
    block[63 - i] = static_cast<std::uint8_t>(bytes * 8 >> 8 * i);
  }
  digest_block(block, state);
  char text[65];
  for (int i = 0; i < 8; ++i) {
    std::snprintf(text + 8 * i, 9, "%08x", state[i]);
  }
  return text;
}
