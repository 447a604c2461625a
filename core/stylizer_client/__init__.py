"""A client of the Image Stylizer service.

    from stylizer_client import Client

    with Client("http://localhost:8000") as client:
        job = client.stylize("cat.jpg", "woodcut", size=768)
        client.wait(job, on_progress=lambda job: print(f"{job.progress:.0%}"))
        client.download(job, "painted.jpg")

`AsyncClient` is the same for an event loop. Everything that can go wrong is a `ClientError`, and `errors.py` draws the
tree. The client knows the service by its HTTP contract alone, and nothing else of this project.
"""

from stylizer_client.clients import AsyncClient, Client
from stylizer_client.conversations import OnProgress, Options, Source, StyleSource
from stylizer_client.errors import (
    BadAnswer,
    Busy,
    ClientError,
    Conflict,
    Expired,
    Invalid,
    NotAllowed,
    NotFound,
    PaintingCanceled,
    PaintingFailed,
    Problem,
    TimedOut,
    Unreachable,
)
from stylizer_client.files import Picture
from stylizer_client.resources import Result, Seconds, Status, Style, StyleWeight, Stylization, Upload

__all__ = [
    "AsyncClient",
    "BadAnswer",
    "Busy",
    "Client",
    "ClientError",
    "Conflict",
    "Expired",
    "Invalid",
    "NotAllowed",
    "NotFound",
    "OnProgress",
    "Options",
    "PaintingCanceled",
    "PaintingFailed",
    "Picture",
    "Problem",
    "Result",
    "Seconds",
    "Source",
    "Status",
    "Style",
    "StyleSource",
    "StyleWeight",
    "Stylization",
    "TimedOut",
    "Unreachable",
    "Upload",
]
