from __future__ import annotations

import pytest
from cloud.receiver import Receiver


@pytest.fixture
def receiver(site: Receiver) -> Receiver:
    return site
