"""Runs a function's handler in a process of its own, which can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from cloud.event_source import Event, LambdaContext

_TESTS = Path(__file__).parents[1]


class FunctionProcess:
    """A handler for an event source: each event gets a new process.

    Attributes:
        running: The process of the event at hand; `running.kill()` is what a function out of memory looks like.
    """

    def __init__(self, module: str, environment: Mapping[str, str]):
        self.running: subprocess.Popen[str] | None = None
        self._module = module
        self._environment = os.environ | environment | {"PYTHONPATH": str(_TESTS)}

    def __call__(self, event: Event, context: LambdaContext) -> Mapping[str, Any]:
        """What the handler answers. Raises ChildProcessError if its process dies."""
        seconds = str(context.get_remaining_time_in_millis() / 1000)
        self.running = subprocess.Popen(
            [sys.executable, "-m", "cloud.processes", self._module, seconds],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        said, _ = self.running.communicate(json.dumps(event))
        if self.running.returncode:
            raise ChildProcessError(f"{self._module} ended with {self.running.returncode}")
        # The log and the metrics are on the same stream, before the answer.
        answer: Mapping[str, Any] = json.loads(said.splitlines()[-1])
        return answer


def main(module: str, seconds: str) -> None:
    """Answer the event on the standard input."""
    handler = import_module(module).handler
    answer = handler(json.load(sys.stdin), LambdaContext(seconds=float(seconds)))
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
