"""Settings of the local server only: timeouts, quotas and rate limits."""

from __future__ import annotations

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from stylizer_service.settings import Settings


class LocalSettings(Settings):
    """Limits of `stylizer-server`, in addition to the common settings. Each can be set as STYLIZER_<NAME>.

    Limits per key apply to each key separately. Without keys there is a single local caller, to whom none of them
    apply.

    Attributes:
        head_timeout: Timeout for receiving a request's head, seconds.
        body_timeout: Timeout for receiving a request's body, seconds.
        body_rate: Minimum rate of the body after `head_timeout`, bytes per second.
        idle_timeout: Keep-alive timeout, seconds.
        send_timeout: How long a client may accept no data of a response, seconds.
        max_connections: Maximum number of open connections.
        address_connections: Maximum number of them from one address; not applied to this machine or a proxy.
        max_disk: Maximum size of the data folder, bytes, with uploads and paintings; unset for no limit other than the
            disk.
        min_free: Bytes kept free on the disk; unset for a twentieth of it, at most 256 MiB.
        rate_limit: Average requests per second per key; 0 disables the limit.
        rate_burst: Burst size of that limit, requests.
        address_rate_limit: Requests per second per address for resources that need no key, such as pages and signed
            links; 0 disables the limit.
        address_rate_burst: Burst size of that limit, requests.
        wrong_keys: Previously unseen keys checked per minute and address; more are treated as guessing.
        key_queue_limit: Maximum number of waiting jobs per key; `queue_limit` applies to all keys together.
        key_uploads: Maximum number of uploads per key, whether or not their file has been sent.
        key_styles: Maximum number of custom styles per key.
    """

    head_timeout: PositiveFloat = 10.0
    body_timeout: PositiveFloat = 600.0
    body_rate: PositiveInt = 4096
    idle_timeout: PositiveInt = 15
    send_timeout: PositiveFloat = 30.0
    max_connections: PositiveInt = 500
    address_connections: PositiveInt = 64
    max_disk: PositiveInt | None = None
    min_free: NonNegativeInt | None = None
    rate_limit: NonNegativeFloat = 20.0
    rate_burst: PositiveInt = 100
    address_rate_limit: NonNegativeFloat = 50.0
    address_rate_burst: PositiveInt = 200
    wrong_keys: PositiveInt = 20
    key_queue_limit: PositiveInt = 250
    key_uploads: PositiveInt = 10_000
    key_styles: PositiveInt = 200
