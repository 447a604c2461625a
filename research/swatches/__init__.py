"""Generate the swatches of the built-in styles that are drawn by code, from seeded randomness."""
