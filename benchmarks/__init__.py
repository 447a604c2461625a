"""Benchmarks of time and memory; they are measured, never asserted in tests."""
