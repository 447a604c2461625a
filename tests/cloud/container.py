"""The painter behind the endpoint with a GPU: the process that the image for SageMaker starts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
from waiting import wait_for

from cloud.stage import Stage


class Container:
    """A process of the image's command, on a port of its own.

    Args:
        stage: The stores, and what it is told of them.
        folder: Where its log goes.
    """

    def __init__(self, stage: Stage, folder: Path):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "container.log"
        environment = os.environ | stage.environment | {"SAGEMAKER_BIND_TO_PORT": str(port)}
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "stylizer_painter.endpoint", "serve"]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def wait_until_well(self) -> None:
        """Return when it takes calls."""

        def is_well() -> bool:
            try:
                return httpx.get(f"{self.url}/ping", timeout=5).status_code == 200
            except httpx.ConnectError:
                return False

        self.wait_for(is_well)

    def wait_for(self, look: Callable[[], bool]) -> None:
        """Return when it is so. Fails if the process has ended, or it takes too long."""
        wait_for(look, process=self.process, log=self.log.read_text)
