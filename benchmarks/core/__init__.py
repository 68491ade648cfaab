"""Holds what all benchmarks share: nets and pictures go in, results files and the pages that quote them come out."""
