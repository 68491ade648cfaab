"""Freezing takes a fake-quantized net and returns the integer program or its float32 twin."""
