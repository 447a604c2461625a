"""AWS painters as separate processes, which are killed at any time and restarted on demand."""

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
    """One instance of the queue's function, reused by Lambda for many events until it dies.

    Attributes:
        kills: Number of times it was killed.
    """

    def __init__(self, stage: Stage, folder: Path):
        self.kills = 0
        self._stage = stage
        self._folder = folder
        self._running: AbstractContextManager[Function] | None = None
        self._function: Function | None = None

    def __call__(self, event: Event, context: LambdaContext) -> dict[str, Any]:
        """Handle an event. Raises ChildProcessError if the function fails."""
        if self._function is None or self._function.process.poll() is not None:
            self.stop()
            self._start()
        assert self._function is not None
        report = self._function.invoke(event, seconds=context.get_remaining_time_in_millis() / 1000)
        if report.kind != "response":
            raise ChildProcessError(f"the painter failed: {report.body}")
        return dict(report.body)

    def kill(self) -> None:
        """Kill it, as Lambda does when memory runs out."""
        function = self._function
        if function is not None and function.process.poll() is None:
            function.process.kill()
            self.kills += 1

    def stop(self) -> None:
        """Stop it, if it is running."""
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
    """The one instance of the endpoint, and SageMaker, which replaces it when it dies.

    Attributes:
        kills: Number of times it was killed.
    """

    def __init__(self, stage: Stage, folder: Path, plane: ControlPlane):
        self.kills = 0
        self._stage = stage
        self._folder = folder
        self._plane = plane
        self._container: Container | None = None

    def start(self) -> None:
        """Start an instance and route invocations to it."""
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
    """An SQS queue at its permitted worst: out of order, and with some duplicates. Thread-safe."""

    duplicates = 0

    def __init__(self, *arguments: Any, chance: random.Random, **named: Any):
        super().__init__(*arguments, **named)
        self._chance = chance
        self._held: list[Any] = []
        self._lock = threading.Lock()

    def take(self) -> Any | None:
        """Return a random message, which may be delivered again."""
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
    """Deliver messages to a painter until `stopping` is set."""
    source = QueueSource(queue.client, queue.url, painter)
    with ExitStack() as at_end:
        at_end.callback(painter.stop)
        while not stopping.is_set():
            message = queue.take()
            if message is None:
                stopping.wait(0.05)
            else:
                source.handle(message)
