"""Inputs of a job given by URL: fetched once, checked like an upload, and stored with the job's files."""

from __future__ import annotations

import io
from functools import cache

from stylizer_service.jobs.leases import Lease
from stylizer_service.outbound.fetch import Fetcher, HttpsFetcher
from stylizer_service.ports import Ports
from stylizer_service.probe import Probe
from stylizer_service.settings import Settings


def fetch_inputs(ports: Ports, settings: Settings, lease: Lease, fetcher: Fetcher | None) -> None:
    """Fetch and store the inputs that no earlier painter of the job has stored.

    Args:
        ports: The ports.
        settings: Size limits, and the timeout for each input.
        lease: Renewed before each file is stored, so that a painter that has lost its lease stores none.
        fetcher: Downloads pictures; None for the default.

    Raises:
        ProblemError: A picture cannot be fetched, or is unusable; the problem names the field of its URL.
    """
    for name, (url, field) in lease.job.urls.items():
        key = lease.job.input_key(name)
        if ports.blobs.size(key) is not None:
            continue
        is_clip = name == "content" and bool(lease.job.options.animate)
        max_bytes = settings.max_clip_bytes if is_clip else settings.max_bytes
        data = (fetcher or _default_fetcher(settings.fetch_timeout, max_bytes)).fetch(url, field=field)
        probe = Probe(settings)
        read = probe.read(io.BytesIO(data), field=field)
        size = lease.job.options.size
        if name == "content":
            media_type = probe.check_content(read, animate=is_clip, size=size, field=field).media_type
        else:
            media_type = probe.check(read, field=field).media_type
        lease.renew()
        ports.blobs.put(key, data, media_type)


@cache
def _default_fetcher(timeout: float, max_bytes: int) -> HttpsFetcher:
    return HttpsFetcher(timeout, max_bytes)
