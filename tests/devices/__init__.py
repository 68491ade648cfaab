"""Holds the tests of where a bundle runs: this host, phones, boards and the emulated core."""
