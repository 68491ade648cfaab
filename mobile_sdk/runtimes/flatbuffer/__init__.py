"""Writes and reads flatbuffers by a schema file, as plain dictionaries.

ExecuTorch's wheel ships the two schemas that its C++ runtime was built from (`program.fbs`, XNNPACK's `schema.fbs`).
Reading is bounds-checked Python, so a damaged file ends in an exception and never in a crash; numbers keep their bits.
A union is a pair (member, value); a table that is absent is None; a vector of ubytes is bytes.

Reading is also complete: a field that the schema lacks, bytes that are two things at once, and bytes other than zero
that no offset reaches are refused. So two files with equal dictionaries differ in nothing that a loader can read.
"""
