"""Settings and pictures come in; a trained net, its int8 program, bundles, verdicts, numbers and a report go out.

It prints nothing itself. Every long call takes `progress`, as everywhere in both packages, and returns its result.
"""
