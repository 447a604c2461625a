"""What the tests of research share with those of the core."""

from __future__ import annotations

from numerics import on_cpu, seeded

__all__ = ["on_cpu", "seeded"]
