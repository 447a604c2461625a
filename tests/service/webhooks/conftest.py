from __future__ import annotations

from collections.abc import Iterator

import pytest
import trustme
from cloud.receiver import Receiver, stranger


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def receiver(authority: trustme.CA) -> Iterator[Receiver]:
    with stranger(authority) as receiver:
        yield receiver
