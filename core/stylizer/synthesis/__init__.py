"""Building blocks of patch-based texture synthesis: pyramid, patch grid, search, aggregation, smoothing, masks.

Unless stated otherwise, images are float32 tensors (C, H, W) with values around [0, 1], without a batch axis.
"""
