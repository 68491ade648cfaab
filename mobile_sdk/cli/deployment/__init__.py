"""This room takes a program or bundles, and makes bundles, verdicts, numbers, apps and a page."""
