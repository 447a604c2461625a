"""Perceptual encoders: what the neural methods compare pictures by."""
