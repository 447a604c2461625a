"""What only a server on one machine has to be told: whom it serves how much, and how long it waits for whom."""

from __future__ import annotations

from pydantic import NonNegativeFloat, PositiveInt

from stylizer_service.settings import Settings


class LocalSettings(Settings):
    """Limits of `stylizer-server`, beside those of every service. Each can be set as STYLIZER_<NAME>.

    What is said of a key holds for each key by itself. Without keys there is one caller, on this machine, whom none of
    it concerns.

    Attributes:
        rate_limit: Requests a second of a key, on average; 0 lifts the limit.
        rate_burst: The same, at once.
        wrong_keys: Most keys not seen before that are looked at in a minute from one address: all others are guesses.
    """

    rate_limit: NonNegativeFloat = 20.0
    rate_burst: PositiveInt = 100
    wrong_keys: PositiveInt = 20
