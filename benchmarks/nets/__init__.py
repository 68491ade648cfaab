"""Makes whole nets for benchmarks: float net, int8 program, and pictures that neither has seen."""
