"""Building blocks of texture synthesis by patches: pyramid, patch grid, search, aggregation, smoothing, masks.

Every function takes and gives float32 tensors of shape (C, H, W) with values around [0, 1], without a batch axis.
"""
