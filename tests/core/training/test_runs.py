from __future__ import annotations

import pytest

from training.runs import share_at


def test_the_learning_rate_warms_up_stays_and_falls_to_nearly_nothing() -> None:
    rates = [share_at(step, step / 100, warm_up=10, decay_from=0.5) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10:51] == [1.0] * 41
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[100] == pytest.approx(1e-3)
