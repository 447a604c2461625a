"""The functions as they are deployed: each from the layout of its image or zip, by Lambda's own client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from cloud.layouts import (
    PYTHON,
    Builder,
    Image,
    lay_out_layer,
    lay_out_styles,
    lay_out_zip,
    link_all,
    requirements,
)
from cloud.runtime_api import Function, start
from cloud.stage import Stage, build
from moto.server import ThreadedMotoServer
from packaging.requirements import Requirement
from pictures import disk_photo

Start = Callable[..., AbstractContextManager[Function]]

MEMORY = {"api": 512, "reconciler": 512, "painter": 1769}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A stage of the module's own, in a fake AWS of its own."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield build(f"http://{host}:{port}")
    server.stop()


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Lays out the stages of the painter's Dockerfile."""
    folder = tmp_path_factory.mktemp("images")
    venv = link_all(requirements("painter", core=True), folder / "venv")
    weights = folder / "weights"
    weights.mkdir()
    return Builder(folder, made={"/opt/venv": venv, "/opt/weights": weights})


@pytest.fixture(scope="session")
def lambda_image(builder: Builder) -> Image:
    return builder.build("lambda")


@pytest.fixture(scope="session")
def sagemaker_image(builder: Builder) -> Image:
    return builder.build("sagemaker")


@pytest.fixture(scope="session")
def image_environment() -> Callable[[Image], dict[str, str]]:
    """What ENV of an image sets, as it is on this machine."""
    return _environment


def _environment(image: Image) -> dict[str, str]:
    named = image.environment.items()
    inside = {name: str(image.at(value)) if value.startswith("/") else value for name, value in named}
    # In the image, python finds these by itself.
    return inside | {"PYTHONPATH": f"{inside['PYTHONPATH']}:{image.at('/opt/venv')}"}


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The layer as PYTHONPATH has it, and after it the runtime client, which Lambda has for functions in zips."""
    folder = tmp_path_factory.mktemp("layer")
    built_on = link_all(requirements("layer"), folder / "built-on")
    runtime = link_all([Requirement("awslambdaric")], folder / "runtime")
    return f"{lay_out_layer(folder)}:{built_on}:{runtime}"


@pytest.fixture(scope="session")
def start_zip(layer: str, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Start a function of a zip and the layer: `start_zip(name, environment)`."""

    def started(name: str, environment: dict[str, str]) -> AbstractContextManager[Function]:
        folder = tmp_path_factory.mktemp(name)
        code = lay_out_zip(folder / "task", name)
        if name == "api":
            environment = environment | {"STYLIZER_STYLES_DIR": str(lay_out_styles(code / "styles"))}
        return start(
            [*PYTHON, "-m", "awslambdaric", f"stylizer_{name}.lambda_handler.handler"],
            folder=code,
            environment=environment
            | {"PYTHONPATH": layer, "PYTHONDONTWRITEBYTECODE": "1"}
            | {"AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY[name])},
            log=folder / "log",
        )

    return started


@pytest.fixture(scope="session")
def start_image(lambda_image: Image, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Start the painter's image for Lambda: `start_image(environment)`."""

    def started(environment: dict[str, str]) -> AbstractContextManager[Function]:
        return start(
            lambda_image.start(),
            folder=lambda_image.folder,
            environment=environment
            | _environment(lambda_image)
            | {"AWS_LAMBDA_FUNCTION_NAME": "painter", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY["painter"])},
            log=tmp_path_factory.mktemp("painter") / "log",
        )

    return started


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A disk before a slope of light, 96 x 72."""
    return disk_photo()


@pytest.fixture(scope="module")
def function_environment(stage: Stage) -> dict[str, str]:
    """What the stage gives its functions; they are traced, as they are on AWS."""
    return {name: value for name, value in stage.environment.items() if name != "POWERTOOLS_TRACE_DISABLED"}


@pytest.fixture(scope="module")
def painter(start_image: Start, function_environment: dict[str, str]) -> Iterator[Function]:
    with start_image(function_environment) as function:
        function.wait_until_ready()
        yield function


@pytest.fixture(scope="module")
def api(start_zip: Start, function_environment: dict[str, str]) -> Iterator[Function]:
    with start_zip("api", function_environment) as function:
        function.wait_until_ready()
        yield function


@pytest.fixture(scope="module")
def reconciler(start_zip: Start, function_environment: dict[str, str]) -> Iterator[Function]:
    # A job that waits is in a queue, or else is sent again at once.
    with start_zip("reconciler", function_environment | {"STYLIZER_REQUEUE_AFTER": "PT0S"}) as function:
        function.wait_until_ready()
        yield function
