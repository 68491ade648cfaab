"""Holds the tests of `embed`, which puts bundles into an app."""
