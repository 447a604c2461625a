"""The two sets of adapters, for tests of what both promise."""

from __future__ import annotations

import pytest

on_both = pytest.mark.parametrize("service", ["local", "aws"], indirect=True)
"""Run with the fixture `service` of tests/service on the local adapters, and on those of AWS."""
