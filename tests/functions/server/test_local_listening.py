"""Listening socket and startup banner."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from stylizer_server.listening import is_public, listening, print_banner


def test_listening_reuses_a_port_in_time_wait() -> None:
    with listening("127.0.0.1", 0) as listener:
        place = listener.getsockname()
        with socket.create_connection(place) as caller:
            listener.accept()[0].close()  # the end that closes first keeps the port in TIME_WAIT
            assert caller.recv(1) == b""

    with listening(*place) as again:
        assert again.getsockname() == place


@pytest.mark.parametrize(
    ("host", "shown", "public"),
    [("127.0.0.1", "localhost", False), ("0.0.0.0", "localhost", True), ("127.0.0.2", "127.0.0.2", False)],
)
def test_banner_shows_url_for_this_machine(
    capsys: pytest.CaptureFixture[str], host: str, shown: str, public: bool
) -> None:
    with listening(host, 0) as listener:
        print_banner(listener, Path("data"), key_count=None)
        port = listener.getsockname()[1]
        assert is_public(listener) is public

    banner = capsys.readouterr().out
    assert f"Page      http://{shown}:{port}/\n" in banner
    assert "Keys" not in banner


@pytest.mark.parametrize(("key_count", "words"), [(0, "0 exist"), (1, "1 exists"), (2, "2 exist")])
def test_banner_shows_number_of_keys(capsys: pytest.CaptureFixture[str], key_count: int, words: str) -> None:
    with listening("127.0.0.1", 0) as listener:
        print_banner(listener, Path("data"), key_count=key_count)

    assert f"Keys      required; {words}\n" in capsys.readouterr().out
