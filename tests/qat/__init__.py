"""Holds the tests of `qat`, in folders that mirror it."""
