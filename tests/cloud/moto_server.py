"""A fake AWS on loopback whose every request is answered as a whole."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@contextmanager
def serving_moto() -> Iterator[str]:
    """Serve until the block ends; gives the address.

    Requests come in side by side, and moto sees one after the other: to check a condition and to write is one step
    in DynamoDB, and two in moto.
    """
    moto = DomainDispatcherApplication(create_backend_app)
    turn = threading.Lock()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with turn:
            answer: Iterable[bytes] = moto(environ, start_response)
            return answer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    # Moto brings so many objects that each full collection would take a second; they never go anyway.
    gc.freeze()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
