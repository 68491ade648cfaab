"""Holds the tests of training: the loop, plans and distillation."""
