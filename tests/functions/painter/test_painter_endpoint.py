"""What the endpoint's painter does while a store is out of reach."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stylizer_painter import endpoint
from stylizer_painter.endpoint import paint_with_retries
from stylizer_service.adapters.local import Local
from stylizer_service.ports import Unavailable


@pytest.fixture
def outages(local: Local, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have the table refuse so many of the next looks at a job."""
    monkeypatch.setattr(endpoint, "_RETRY_DELAYS", (0.0, 0.0))
    get = type(local.service.ports.jobs).get

    def begin(times: int) -> None:
        left = [Unavailable("GetItem was refused")] * times
        monkeypatch.setattr(
            type(local.service.ports.jobs), "get", lambda *asked: _raise(left.pop()) if left else get(*asked)
        )

    return begin


def _raise(error: Exception) -> None:
    raise error


def test_brief_table_outage_does_not_fail_an_endpoint_job(
    local: Local, submit: Callable[..., str], outages: Callable[[int], None]
) -> None:
    job_id = submit(style="woodcut")
    outages(2)

    assert paint_with_retries(local.service.ports, local.service.settings, job_id, lambda: False) == "succeeded"


def test_a_table_that_stays_out_of_reach_is_told(
    local: Local, submit: Callable[..., str], outages: Callable[[int], None]
) -> None:
    job_id = submit(style="woodcut")
    outages(3)

    with pytest.raises(Unavailable):
        paint_with_retries(local.service.ports, local.service.settings, job_id, lambda: False)
