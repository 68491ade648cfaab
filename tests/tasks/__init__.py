"""Holds the tests of each task's scores, programs and bundles."""
