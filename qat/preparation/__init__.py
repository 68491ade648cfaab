"""Preparation takes a captured float net and returns its fake-quantized copy."""
