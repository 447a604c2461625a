"""Pictures given by URL, through the client."""

from __future__ import annotations

import pytest

from stylizer_client import Client, Invalid
from stylizer_service.adapters.local import Local

PHOTO, QUILT = "https://example.com/cat.jpg", "https://example.com/quilt.jpg"


def test_client_passes_urls_on(client: Client, local: Local) -> None:
    local.service.settings = local.service.settings.model_copy(update={"url_inputs": True})

    job = client.stylize(content_url=PHOTO, style_url=QUILT, size=64)
    assert (job.content, [entry.style for entry in job.styles]) == (PHOTO, [QUILT])
    assert client.stylize(None, "woodcut", content_url=PHOTO).styles[0].style == "woodcut"


def test_client_names_the_field_of_a_refused_url(client: Client) -> None:
    with pytest.raises(Invalid) as caught:
        client.stylize(None, "woodcut", content_url=PHOTO)
    assert caught.value.field == "content_url"
