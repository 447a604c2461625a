"""The painter: one job runner (`painting`) and the entry points that feed it."""
