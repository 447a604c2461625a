"""Well-behaved clients: each retries with the same idempotency key until it gets a response, and records it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from tools.chaos.job_requests import JobRequest

_COME_AGAIN = {429, 503, 507}
"""Retryable statuses of the API. Any other unsuccessful status is a defect."""
_STORE_DOWN = range(500, 600)  # statuses that a store may return
_LONGEST_PAUSE = 1.0
"""A good client waits for the full `Retry-After`; these have less time."""
_ENDS = ("succeeded", "failed", "canceled", "expired")


class Hopeless(Exception):
    """The time limit of the run has passed."""


@dataclass
class Ledger:
    """The clients' own record of the run, independent of the service's.

    Attributes:
        accepted: Job id of each accepted job request.
        ends: Final job of each finished job request, as the API returned it.
        refused: Valid requests that were rejected, and other responses that a client must never see.
        statuses: Number of API responses by status; 0 means no response.
    """

    accepted: dict[int, str] = field(default_factory=dict)
    ends: dict[int, dict[str, Any]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


class Client:
    """Send job requests one after the other. Several clients share a ledger.

    Args:
        api: HTTP client of the API.
        store: HTTP client for upload forms and download links, which may be on another host.
        ledger: Record of the outcomes.
        deadline: Time limit, in monotonic seconds.
        name: Prefix of this run's idempotency keys.
    """

    def __init__(self, api: httpx.Client, store: httpx.Client, ledger: Ledger, deadline: float, name: str):
        self._api = api
        self._store = store
        self._ledger = ledger
        self._deadline = deadline
        self._name = name

    def make(self, job_request: JobRequest, pause: float) -> None:
        """Submit a job request, and follow up as its kind requires.

        Args:
            job_request: The request.
            pause: Delay in seconds before a cancellation.
        """
        send = self._sender(job_request)
        job_id = self._accept(send)
        if job_id is None:
            return
        self._ledger.accepted[job_request.number] = job_id
        if job_request.kind == "again" and self._accept(send) != job_id:
            self._ledger.refused.append(f"job request {job_request.number}: its key gave another job the second time")
        if job_request.kind == "cancel":
            time.sleep(pause)
            self._ask(lambda: self._api.post(f"v1/stylizations/{job_id}/cancel"), also_fine=HTTPStatus.CONFLICT)

    def look(self, number: int) -> bool:
        """Poll the job of a job request; return whether it has ended."""
        job_id = self._ledger.accepted.get(number)
        answer = self._ask(lambda: self._api.get(f"v1/stylizations/{job_id}")) if job_id else None
        if answer is not None and answer.json()["status"] in _ENDS:
            self._ledger.ends[number] = answer.json()
        return number in self._ledger.ends

    def knows(self, number: int) -> bool:
        """Return whether the API still has the job of a job request, ended or not."""
        job_id = self._ledger.accepted[number]
        return self._ask(lambda: self._api.get(f"v1/stylizations/{job_id}")) is not None

    def image(self, job_id: str) -> bytes | None:
        """Download the painting."""
        leads = self._ask(lambda: self._api.get(f"v1/stylizations/{job_id}/image"))
        if leads is None:
            return None
        place = self._api.base_url.join(leads.headers["location"])
        answer = self._ask(lambda: self._store.get(place), is_api=self._is_of_api(place))
        return None if answer is None else answer.content

    def _is_of_api(self, place: httpx.URL) -> bool:
        """Return whether the API itself serves as the store, as in a local deployment."""
        return place.netloc == self._api.base_url.netloc

    def _accept(self, send: Callable[[], httpx.Response]) -> str | None:
        answer = self._ask(send)
        return None if answer is None else str(answer.json()["id"])

    def _sender(self, job_request: JobRequest) -> Callable[[], httpx.Response]:
        headers = {"Idempotency-Key": f"{self._name}-{job_request.number}"}
        if not job_request.by_upload:
            files = {"content": ("photo", job_request.photo)}
            return lambda: self._api.post("v1/stylizations", data=job_request.fields, files=files, headers=headers)
        body = {"content": self._upload(job_request), **job_request.fields}
        return lambda: self._api.post("v1/stylizations", json=body, headers=headers)

    def _upload(self, job_request: JobRequest) -> str | None:
        media_type = "image/png" if job_request.kind == "broken" else "image/jpeg"
        created = self._ask(lambda: self._api.post("v1/uploads", json={"media_type": media_type}))
        if created is None:
            return None
        form = created.json()
        place = self._api.base_url.join(form["url"])
        file = {"file": ("photo", job_request.photo)}
        self._ask(lambda: self._store.post(place, data=form["fields"], files=file), is_api=self._is_of_api(place))
        return str(form["id"])

    def _ask(
        self,
        send: Callable[[], httpx.Response],
        *,
        also_fine: int | None = None,
        is_api: bool = True,
    ) -> httpx.Response | None:
        """Retry until there is a response. Record one that must never occur in the ledger, and return None."""
        while True:
            if time.monotonic() > self._deadline:
                raise Hopeless
            pause = 0.2
            try:
                answer = send()
            except httpx.TransportError:
                self._ledger.statuses[0] += is_api
            else:
                self._ledger.statuses[answer.status_code] += is_api
                if answer.status_code < 400 or answer.status_code == also_fine:
                    return answer
                if answer.status_code not in (_COME_AGAIN if is_api else _STORE_DOWN):
                    self._ledger.refused.append(f"{answer.request.method} {answer.request.url}: {answer.text[:300]}")
                    return None
                pause = min(float(answer.headers.get("retry-after", 1)), _LONGEST_PAUSE)
            time.sleep(pause)


class ClientPool:
    """Several concurrent clients, each with its share of the job requests.

    Args:
        clients: One per thread.
        job_requests: The requests to send.
        seconds: Minimum duration for sending them all.
        seed: Seed of the pauses.
    """

    def __init__(self, clients: Sequence[Client], job_requests: Sequence[JobRequest], *, seconds: float, seed: int):
        self._clients = clients
        self._job_requests = job_requests
        self._pause = seconds * len(clients) / max(1, len(job_requests))
        self._seed = seed
        self._threads = [threading.Thread(target=self._run, args=[index], daemon=True) for index in range(len(clients))]

    def start(self) -> None:
        """Start sending."""
        for thread in self._threads:
            thread.start()

    def is_asking(self) -> bool:
        """Whether requests remain to be sent."""
        return any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        """Wait until all requests have been sent."""
        for thread in self._threads:
            thread.join()

    def watch(self, numbers: Sequence[int]) -> None:
        """Poll these job requests until all have ended, or the time limit has passed."""

        def wait(index: int) -> None:
            waiting = list(numbers[index :: len(self._clients)])
            try:
                while waiting:
                    waiting = [number for number in waiting if not self._clients[index].look(number)]
                    time.sleep(0.3)
            except Hopeless:
                return

        with ThreadPoolExecutor(len(self._clients)) as pool:
            list(pool.map(wait, range(len(self._clients))))

    def _run(self, index: int) -> None:
        chance = random.Random(f"{self._seed}-{index}")
        seen: list[int] = []
        try:
            for job_request in self._job_requests[index :: len(self._clients)]:
                self._clients[index].make(job_request, chance.uniform(0, 1))
                seen.append(job_request.number)
                time.sleep(chance.uniform(0, 2 * self._pause))
                self._clients[index].look(chance.choice(seen))  # poll a random earlier request, as users do
        except Hopeless:
            return
