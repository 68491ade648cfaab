"""Holds the tests of ExecuTorch's program file."""
