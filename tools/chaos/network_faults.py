"""An unreliable network to AWS that also records what was actually written."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from cloud.fault_proxy import THROTTLED, Answer, Carry, Line, Request, Wrong, break_off, lose, refuse

_SHARE = 0.03
"""Fraction of requests that fail outside a fault storm."""
_STORM_SHARE = 0.7
_HANG_SECONDS = 5.0  # longer than the read timeout of a DynamoDB or SQS client
_OUT_OF_ORDER = b'{"__type": "x#InternalServerError", "message": "out of order"}'


class NetworkFaults(Line):
    """A proxy that makes requests fail at random.

    Attributes:
        is_rough: Whether faults are enabled.
        wrongs: Number of faults by kind, such as "s3 refused".
        finished: Recorded transitions of jobs to succeeded, duplicates included, and their times.
        segments: Every list of segments that was recorded for a job, in order.
    """

    def __init__(self, address: str, target: str, chance: random.Random):
        super().__init__(address, target)
        self.is_rough = False
        self.wrongs: Counter[str] = Counter()
        self.finished: list[tuple[str, datetime]] = []
        self.segments: list[tuple[str, list[str]]] = []
        self._invocations: set[str] = set()  # that recorded segments
        self._chance = chance
        self._storm: str | None = None
        self._lock = threading.Lock()

    @contextmanager
    def storm(self, service: str) -> Iterator[None]:
        """Make most requests to a service fail."""
        self._storm = service
        try:
            yield
        finally:
            self._storm = None

    def answer(self, request: Request, carry: Carry) -> Answer | None:
        """Return the response to a request; None for no response."""

        def carry_and_see() -> Answer:
            answer = carry()
            self._see(request, answer)
            return answer

        service = _service(request)
        share = _STORM_SHARE if self._storm == service else _SHARE
        with self._lock:
            if not self.is_rough or self._chance.random() >= share:
                wrong = None
            else:
                kind, wrong = self._wrong(service)
                self.wrongs[f"{service} {kind}"] += 1
        return wrong(carry_and_see) if wrong else carry_and_see()

    def _wrong(self, service: str) -> tuple[str, Wrong]:
        status, body = THROTTLED.get(service, THROTTLED["dynamodb"])
        kinds: dict[str, Wrong] = {
            "throttled": refuse(status, body),
            "5xx": refuse(500, _OUT_OF_ORDER if service != "s3" else b"<Error><Code>InternalError</Code></Error>"),
            "cut before": lambda _: None,
            "answer lost": lose,
            "answer cut": break_off,
            "timeout": _hang,
        }
        (kind,) = self._chance.choices([*kinds], (6, 6, 4, 4, 2, 1))
        return kind, kinds[kind]

    def _see(self, request: Request, answer: Answer) -> None:
        if request.name != "UpdateItem" or answer[0] != 200:
            return
        asked = json.loads(request.body)
        changed = {name: place for place, name in asked["ExpressionAttributeNames"].items() if place.startswith("#c")}
        values = {
            name: asked["ExpressionAttributeValues"].get(place.replace("#", ":")) for name, place in changed.items()
        }
        job_id = asked["Key"]["pk"]["S"]
        if values.get("status") == {"S": "succeeded"}:
            self.finished.append((job_id, datetime.now(UTC)))
        # A request that is sent again because its response was lost records the same segments, and paints none.
        invocation = request.headers["amz-sdk-invocation-id"]
        if values.get("segments") and invocation not in self._invocations:
            self._invocations.add(invocation)
            self.segments.append((job_id, json.loads(values["segments"]["S"])))


def _service(request: Request) -> str:
    target = request.headers.get("x-amz-target", "")
    if target.startswith("DynamoDB"):
        return "dynamodb"
    return "sqs" if target.startswith("AmazonSQS") else "other" if target else "s3"


def _hang(carry: Carry) -> None:
    time.sleep(_HANG_SECONDS)
    carry()
