"""Judges nets, one at a time and each in a process of its own: taken or refused, and equal in every element or not."""
