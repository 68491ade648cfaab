"""Calibration takes a float net and a few pictures and returns an int8 program. Nothing is trained."""
