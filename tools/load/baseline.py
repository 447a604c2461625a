"""The least that this stack can do for a request: `python -m tools.load.baseline` answers `GET /healthz`."""

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
    # Named as TCP, or asyncio would leave Nagle's algorithm on: each answer on a kept connection 40 ms late.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        # Served as stylizer-server is, so that what differs is the work.
        config = uvicorn.Config(app, http="h11", loop="asyncio", ws="none", lifespan="off", log_config=None)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
