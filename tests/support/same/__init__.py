"""Holds what asks Python, Kotlin and Swift the same questions: of outputs, of JSON, and of bundles."""
