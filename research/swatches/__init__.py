"""Paints the pictures of the built-in styles: each one is drawn by a program, from seeded randomness."""
