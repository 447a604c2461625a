"""The endpoint's painter while a store is unavailable."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stylizer_painter import endpoint
from stylizer_painter.endpoint import paint_with_retries
from stylizer_service.adapters.local import Local
from stylizer_service.ports import Unavailable


@pytest.fixture
def outages(local: Local, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make the next reads of a job fail, as many as given."""
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


def test_lasting_table_outage_fails_the_invocation(
    local: Local, submit: Callable[..., str], outages: Callable[[int], None]
) -> None:
    job_id = submit(style="woodcut")
    outages(3)

    with pytest.raises(Unavailable):
        paint_with_retries(local.service.ports, local.service.settings, job_id, lambda: False)
