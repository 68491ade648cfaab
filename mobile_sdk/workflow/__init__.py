"""This room takes settings and pictures, and returns a net, its program, bundles, verdicts, numbers and a report.

It prints nothing itself. Every long call takes `progress`, as everywhere in both packages, and returns its result.
"""
