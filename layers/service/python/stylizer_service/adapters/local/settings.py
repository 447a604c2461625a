"""What only a server on one machine has to be told: whom it serves how much, and how long it waits for whom."""

from __future__ import annotations

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from stylizer_service.settings import Settings


class LocalSettings(Settings):
    """Limits of `stylizer-server`, beside those of every service. Each can be set as STYLIZER_<NAME>.

    What is said of a key holds for each key by itself. Without keys there is one caller, on this machine, whom none of
    it concerns.

    Attributes:
        head_timeout: Longest that the head of a request may take, seconds.
        body_timeout: Longest that its body may take, seconds.
        body_rate: Slowest that it may come after `head_timeout`, bytes a second.
        idle_timeout: How long a connection is kept for another request, seconds.
        send_timeout: How long the other end may take none of an answer, seconds.
        max_connections: Most connections open at a time.
        address_connections: Most of them from one address, unless it is this machine or a proxy.
        max_disk: Most bytes in the data folder, what callers bring and what is painted for them; unset for no limit but
            the disk itself.
        min_free: Bytes of the disk that are left free; unset for a twentieth of it, at most 256 MiB.
        rate_limit: Requests a second of a key, on average; 0 lifts the limit.
        rate_burst: The same, at once.
        address_rate_limit: Requests a second from one address for what takes no key, such as pages and signed links; 0
            lifts the limit.
        address_rate_burst: The same, at once.
        wrong_keys: Most keys not seen before that are looked at in a minute from one address: all others are guesses.
        key_queue_limit: Most jobs waiting of a key; at most `queue_limit` wait of all together.
        key_uploads: Most uploads kept of a key, with or without a file yet.
        key_styles: Most styles kept of a key.
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
