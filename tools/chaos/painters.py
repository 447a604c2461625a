"""Painters on AWS as processes of their own, which are killed at any time and are there again when they are needed."""

from __future__ import annotations

import random
import sys
import threading
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from cloud.container import Container
from cloud.control_plane import ControlPlane
from cloud.event_source import Event, LambdaContext, QueueSource
from cloud.runtime_api import Function, start
from cloud.stage import Stage

_POOL = 4


class LambdaPainter:
    """One instance of the function behind the queue, as Lambda keeps it: for many events, until it dies.

    Attributes:
        kills: How often it was killed.
    """

    def __init__(self, stage: Stage, folder: Path):
        self.kills = 0
        self._stage = stage
        self._folder = folder
        self._running: AbstractContextManager[Function] | None = None
        self._function: Function | None = None

    def __call__(self, event: Event, context: LambdaContext) -> dict[str, Any]:
        """Deal with an event. Raises ChildProcessError if the function fails at it."""
        if self._function is None or self._function.process.poll() is not None:
            self.stop()
            self._start()
        assert self._function is not None
        report = self._function.invoke(event, seconds=context.get_remaining_time_in_millis() / 1000)
        if report.kind != "response":
            raise ChildProcessError(f"the painter failed: {report.body}")
        return dict(report.body)

    def kill(self) -> None:
        """As Lambda does when memory runs out."""
        function = self._function
        if function is not None and function.process.poll() is None:
            function.process.kill()
            self.kills += 1

    def stop(self) -> None:
        """End it, if it runs."""
        running, self._running = self._running, None
        if running is not None:
            running.__exit__(None, None, None)

    def _start(self) -> None:
        named = {"AWS_LAMBDA_FUNCTION_NAME": "painter", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769"}
        self._running = start(
            [sys.executable, "-m", "awslambdaric", "stylizer_painter.lambda_handler.handler"],
            folder=self._folder,
            environment=self._stage.environment | named,
            log=self._folder / "painter.log",
        )
        self._function = self._running.__enter__()


class GpuPainter:
    """The one instance of the endpoint, and SageMaker, which starts another when it is gone.

    Attributes:
        kills: How often it was killed.
    """

    def __init__(self, stage: Stage, folder: Path, plane: ControlPlane):
        self.kills = 0
        self._stage = stage
        self._folder = folder
        self._plane = plane
        self._container: Container | None = None

    def start(self) -> None:
        """Start an instance and let it have the calls."""
        self._container = Container(self._stage, self._folder)
        self._container.wait_until_well()
        self._plane.container = self._container.url

    def kill(self) -> None:
        """Kill the instance, and start another."""
        self.stop()
        self.kills += 1
        self.start()

    def stop(self) -> None:
        """Kill the instance."""
        self._plane.container = None
        if self._container is not None:
            self._container.process.kill()
            self._container.process.wait()


class UnrulyQueue(QueueSource):
    """A queue that SQS allows itself to be: in any order, and some messages twice. For several threads."""

    duplicates = 0

    def __init__(self, *arguments: Any, chance: random.Random, **named: Any):
        super().__init__(*arguments, **named)
        self._chance = chance
        self._held: list[Any] = []
        self._lock = threading.Lock()

    def take(self) -> Any | None:
        """A message, not the oldest, that may be seen again."""
        with self._lock:
            self._held += self.receive(_POOL) if len(self._held) < _POOL else []
            if not self._held:
                return None
            message = self._chance.choice(self._held)
            if self._chance.random() < 0.15:
                self.duplicates += 1
            else:
                self._held.remove(message)
            return message


def deliver(queue: UnrulyQueue, painter: LambdaPainter, stopping: threading.Event) -> None:
    """Take messages to a painter until it is time to stop."""
    source = QueueSource(queue.client, queue.url, painter)
    with ExitStack() as at_end:
        at_end.callback(painter.stop)
        while not stopping.is_set():
            message = queue.take()
            if message is None:
                stopping.wait(0.05)
            else:
                source.handle(message)
