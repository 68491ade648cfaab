"""Measures the energy of an inference where a device tells what it draws: its rails, its battery, its processor."""
