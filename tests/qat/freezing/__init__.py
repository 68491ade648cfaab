"""Holds the tests of freezing a fake-quantized net into a program."""
