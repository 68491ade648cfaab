"""Preparation: a captured float net comes in, and its fake-quantized copy goes out."""
