"""Sees to it that every job comes to an end, and that its caller hears of it: `lambda_handler`."""
