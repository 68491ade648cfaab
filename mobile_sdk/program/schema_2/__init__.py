"""Frozen: a program file of schema 2 comes in, an ATen program with a table of names, and its graph goes out."""
