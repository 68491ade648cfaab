"""Names the demo app, as Android knows it."""

PACKAGE = "mobilesdk.demo"
ACTIVITY = f"{PACKAGE}/.screen.BenchmarkActivity"
ACTION = f"{PACKAGE}.BENCHMARK"
