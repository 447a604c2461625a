"""Paints the jobs: one runner (`painting`), and the ways jobs come in."""
