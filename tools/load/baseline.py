"""Minimum cost of a request in this stack: `python -m tools.load.baseline` answers `GET /healthz`."""

from __future__ import annotations

import socket
import sys

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/healthz")
def get_health() -> dict[str, str]:
    return {"status": "ok"}


def main() -> None:
    # IPPROTO_TCP is explicit, as asyncio otherwise leaves Nagle's algorithm on, which delays responses on kept-alive
    # connections by 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        # Configured as in stylizer-server, so that only the work differs.
        config = uvicorn.Config(app, http="h11", loop="asyncio", ws="none", lifespan="off", log_config=None)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
