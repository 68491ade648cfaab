"""Holds tests of what nets read: pictures of any sides and channels, and arrays."""
