"""Calibration: a float net and a few pictures come in, and an int8 program goes out. Nothing is trained."""
