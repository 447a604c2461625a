"""Python client of the Image Stylizer service.

    from stylizer_client import Client

    with Client("http://localhost:8000") as client:
        job = client.stylize("cat.jpg", "woodcut", size=768)
        client.wait(job, on_progress=lambda job: print(f"{job.progress:.0%}"))
        client.download(job, "painted.jpg")

`AsyncClient` has the same methods for an event loop. Every error is a `ClientError`; `errors.py` draws the tree. The
client depends on the HTTP contract only, and on nothing else of this project.
"""

from stylizer_client.clients import AsyncClient, Client
from stylizer_client.errors import (
    ClientError,
    Conflict,
    Expired,
    Invalid,
    InvalidResponse,
    NotAllowed,
    NotFound,
    PaintingCanceled,
    PaintingFailed,
    Problem,
    ServiceUnavailable,
    TimedOut,
    Unreachable,
)
from stylizer_client.files import Picture
from stylizer_client.flows import OnProgress, Options, Source, StyleSource
from stylizer_client.resources import Result, Seconds, Status, Style, StyleWeight, Stylization, Upload, Variant

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "Conflict",
    "Expired",
    "Invalid",
    "InvalidResponse",
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
    "ServiceUnavailable",
    "Source",
    "Status",
    "Style",
    "StyleSource",
    "StyleWeight",
    "Stylization",
    "TimedOut",
    "Unreachable",
    "Upload",
    "Variant",
]
