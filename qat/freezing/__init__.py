"""Freezing: a fake-quantized net comes in, and the integer program or its float32 twin goes out."""
