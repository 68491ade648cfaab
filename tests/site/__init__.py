"""Holds tests of the documentation: the site builds, its commands are there, its code runs."""
