"""Runs models in the demo app on a phone, with the runtimes that ship in it."""
