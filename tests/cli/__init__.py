"""Holds the tests of the command line: help, output, refusals and exit codes."""
