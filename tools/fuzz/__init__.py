"""Fuzzing of image handling: a corpus of malicious images, mutations, and the service's reaction to each."""
