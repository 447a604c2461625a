"""Lays the functions out on disk as they are deployed: the painter by its Dockerfile, the others as zip and layer."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

from docker.utils import exclude_paths  # type: ignore[import-untyped]
from packaging.requirements import Requirement

from infra.bundles import CORE_MODULES

CHECKOUT = Path(__file__).parents[2]
DOCKERFILE = CHECKOUT / "functions/painter/Dockerfile"
PYTHON = (sys.executable, "-S")
"""Python without site-packages, and so without the checkout, which is installed there."""


class Instruction(NamedTuple):
    """A line of a Dockerfile, with those that it continues on."""

    name: str
    rest: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """What a stage of a Dockerfile leaves behind.

    Attributes:
        root: The folder that is "/" in the image.
        folder: The working directory, within the root.
        environment: As ENV sets it.
        entrypoint: What is started.
        command: The arguments that are added unless others are given.
        user: Who it runs as; None where nothing is said.
    """

    root: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str | None = None

    def start(self, *arguments: str) -> tuple[str, ...]:
        """How its process is started on this machine."""
        program, *rest = *self.entrypoint, *(arguments or self.command)
        assert program == "/opt/venv/bin/python"
        return (*PYTHON, *rest)

    def at(self, path: str) -> Path:
        """Where a path of the image is."""
        return self.root / path.lstrip("/") if path.startswith("/") else self.folder / path


def read_stages() -> dict[str, tuple[str, list[Instruction]]]:
    """The stages of the painter's Dockerfile by name, each with what it starts from and what it does."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: dict[str, tuple[str, list[Instruction]]] = {}
    instructions: list[Instruction] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, rest = line.split(maxsplit=1)
        if name == "FROM":
            base, _, stage = rest.split()
            instructions = []
            stages[stage] = base, instructions
        else:
            instructions.append(Instruction(name, rest))
    return stages


def context_files() -> list[Path]:
    """The files that .dockerignore lets into the build, relative to the checkout."""
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    found = map(Path, exclude_paths(str(CHECKOUT), patterns, str(DOCKERFILE.relative_to(CHECKOUT))))
    return sorted(path for path in found if (CHECKOUT / path).is_file())


class Builder:
    """Builds stages without running anything; what RUN would make has to be given.

    Args:
        folder: Where to build.
        made: Folders of this machine that stand for what RUN makes, by their paths in the image.
    """

    def __init__(self, folder: Path, made: Mapping[str, Path]):
        self._folder = folder
        self._made = made
        self._stages = read_stages()
        self._images: dict[str, Image] = {}
        self._context = folder / "context"
        for path in context_files():
            (self._context / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / path, self._context / path)

    def build(self, stage: str) -> Image:
        """Build a stage and what it takes from others."""
        if stage not in self._images:
            base, instructions = self._stages[stage]
            root = self._folder / stage
            if base in self._stages:
                image = self.build(base)
                shutil.copytree(image.root, root, symlinks=True)
                image = replace(image, root=root, folder=root / image.folder.relative_to(image.root))
            else:
                root.mkdir()
                image = Image(root=root, folder=root)
            for instruction in instructions:
                image = self._apply(instruction, image)
            self._images[stage] = image
        return self._images[stage]

    def _apply(self, instruction: Instruction, image: Image) -> Image:
        rest = instruction.rest
        match instruction.name:
            case "COPY":
                self._copy(shlex.split(rest), image)
            case "WORKDIR":
                image.at(rest).mkdir(parents=True, exist_ok=True)
                return replace(image, folder=image.at(rest))
            case "ENV":
                named = dict(word.split("=", 1) for word in shlex.split(rest))
                return replace(image, environment=image.environment | named)
            case "ENTRYPOINT":
                return replace(image, entrypoint=tuple(json.loads(rest)))
            case "CMD":
                return replace(image, command=tuple(json.loads(rest)))
            case "USER":
                return replace(image, user=rest)
            case "ARG" | "EXPOSE" | "LABEL" | "RUN":
                pass
            case unknown:
                raise ValueError(f"no idea what {unknown} does")
        return image

    def _copy(self, words: list[str], image: Image) -> None:
        stage = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
        *sources, target = words
        for source in sources:
            if source in self._made:
                image.at(target).parent.mkdir(parents=True, exist_ok=True)
                image.at(target).symlink_to(self._made[source])
                continue
            base = self.build(stage).root if stage else self._context
            found = sorted(base.glob(source.lstrip("/")))
            if not found:
                raise FileNotFoundError(f"COPY finds no {source} in {stage or 'the context'}")
            for path in found:
                _copy_into(path, image.at(target))


def _copy_into(path: Path, folder: Path) -> None:
    """As COPY does: a file under its name, of a folder what is in it."""
    if path.is_dir():
        shutil.copytree(path, folder, dirs_exist_ok=True)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder)


def lay_out_zip(folder: Path, function: str) -> Path:
    """What the zip of a function holds: its code.

    Args:
        folder: Where to put it.
        function: Its folder below `functions`.
    """
    ignored = shutil.ignore_patterns("__pycache__")
    package = f"stylizer_{function}"
    shutil.copytree(CHECKOUT / "functions" / function / package, folder / package, ignore=ignored)
    return folder


def lay_out_styles(folder: Path) -> Path:
    """Built-in styles as the zip of the API has them: order, texts and swatches."""
    styles = CHECKOUT / "core/stylizer/styles"
    for path in styles.glob("*/*"):
        if path.name in {"style.toml", "swatch.webp"}:
            (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / path.parent.name)
    shutil.copy2(styles / "order.toml", folder)
    return folder


def lay_out_layer(folder: Path) -> Path:
    """What the layer holds besides what it is built on: the service."""
    ignored = shutil.ignore_patterns("__pycache__")
    package = CHECKOUT / "layers/service/python/stylizer_service"
    shutil.copytree(package, folder / "python/stylizer_service", ignore=ignored)
    for name in CORE_MODULES:
        (folder / "python/stylizer" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / "core/stylizer" / name, folder / "python/stylizer" / name)
    return folder / "python"


def requirements(*extras: str, core: bool = False) -> list[Requirement]:
    """What the project asks for.

    Args:
        extras: The extras that are wanted.
        core: Whether what the core needs is wanted too.
    """
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    named = [text for extra in extras for text in project["optional-dependencies"][extra]]
    found = list(map(Requirement, [*project["dependencies"], *named] if core else named))
    own = [requirement for requirement in found if requirement.name == project["name"]]
    others = [requirement for requirement in found if requirement.name != project["name"]]
    return others + [inner for requirement in own for inner in requirements(*requirement.extras)]


def link_all(wanted: Iterable[Requirement], folder: Path) -> Path:
    """Put links to distributions and all that they ask for into a folder that stands for site-packages."""
    folder.mkdir()
    waiting, done = list(wanted), set[str]()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in done:
            done.add(str(requirement))
            waiting += _link(requirement, folder)
    return folder


def _link(requirement: Requirement, folder: Path) -> list[Requirement]:
    """Link one distribution; gives what it asks for itself."""
    found = distribution(requirement.name)
    for file in found.files or []:
        top = file.parts[0]
        if top not in ("..", "__pycache__") and not (folder / top).exists():
            (folder / top).symlink_to(Path(str(found.locate_file(top))))
    needed = map(Requirement, found.requires or [])
    return [
        inner
        for inner in needed
        if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras))
    ]
