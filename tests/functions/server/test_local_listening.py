"""Where the server listens, and what it says of that."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from stylizer_server.listening import greet, is_open_to_others, listening


def test_a_port_whose_last_connections_are_hardly_over_is_taken_again_at_once() -> None:
    with listening("127.0.0.1", 0) as listener:
        place = listener.getsockname()
        with socket.create_connection(place) as caller:
            listener.accept()[0].close()  # who closes first keeps the port for a minute
            assert caller.recv(1) == b""

    with listening(*place) as again:
        assert again.getsockname() == place


@pytest.mark.parametrize(
    ("host", "shown", "is_open"),
    [("127.0.0.1", "localhost", False), ("0.0.0.0", "localhost", True), ("127.0.0.2", "127.0.0.2", False)],
)
def test_the_page_is_named_as_a_browser_on_this_machine_finds_it(
    capsys: pytest.CaptureFixture[str], host: str, shown: str, is_open: bool
) -> None:
    with listening(host, 0) as listener:
        greet(listener, Path("data"), callers=None)
        port = listener.getsockname()[1]
        assert is_open_to_others(listener) is is_open

    said = capsys.readouterr().out
    assert f"Page      http://{shown}:{port}/\n" in said
    assert "Keys" not in said


@pytest.mark.parametrize(("callers", "words"), [(0, "there are 0"), (1, "there is 1"), (2, "there are 2")])
def test_where_keys_are_asked_for_it_is_said_how_many_there_are(
    capsys: pytest.CaptureFixture[str], callers: int, words: str
) -> None:
    with listening("127.0.0.1", 0) as listener:
        greet(listener, Path("data"), callers=callers)

    assert f"Keys      asked for; {words}\n" in capsys.readouterr().out
