"""Somebody who reads our pages, and types what stands there as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from disk_clips import gif
from pictures import disk_photo, encoded
from PIL import Image

ROOT = Path(__file__).parents[1]
ADDRESS = "localhost:8000"
"""Where our pages say that the service is."""
PATIENCE = 400.0
"""Seconds; nothing that is typed is measured."""


def blocks(text: str, language: str) -> list[str]:
    """What stands in a page in fences of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


class Reader:
    """Somebody in a checkout of their own, with a home of their own.

    Args:
        folder: Where they type.
        address: Host and port of the service that runs for them.
    """

    def __init__(self, folder: Path, address: str):
        self.folder = folder
        self._address = address
        home = folder / "home"
        home.mkdir()
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "docs").symlink_to(ROOT / "docs")
        (folder / "holiday").mkdir()
        for name in ("holiday/beach.jpg", "holiday/mountain.jpg", "quilt.jpg"):
            (folder / name).write_bytes(disk_photo())
        with Image.open(ROOT / "docs/pictures/cat.jpg") as cat:
            (folder / "mask.png").write_bytes(encoded(Image.linear_gradient("L").resize(cat.size), "PNG"))
        (folder / "turning.gif").write_bytes(gif(3))
        self._environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}

    def types(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command, in which the address is that of the service; gives what it says."""
        command = [argument.replace(ADDRESS, self._address) for argument in arguments]
        text = None if stdin is None else stdin.replace(ADDRESS, self._address)
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def walks(self, page: str, key: str = "") -> dict[str, str]:
        """Type all that a page has for the shell, with a key where it leaves room for one; what each section says."""
        lines = ["set -euo pipefail"]
        for section in re.split("^## ", page, flags=re.MULTILINE)[1:]:
            heading = section.partition("\n")[0]
            lines += [f"printf '\\n## %s\\n' '{heading}'", *blocks(section, "sh")]
        said = self.types("bash", "-c", re.sub("^KEY=", f"KEY={key}", "\n".join(lines), flags=re.MULTILINE))
        _, *sections = re.split("^## (.*)\n", said, flags=re.MULTILINE)
        return {heading: output.strip() for heading, output in zip(sections[::2], sections[1::2], strict=True)}

    def shows(self, name: str) -> bool:
        """Whether there is a picture of that name."""
        with Image.open(self.folder / name) as image:
            return image.size[0] > 16


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """What `make run` does, at a free port; gives host and port."""
    command = [sys.executable, "-c", "from stylizer_server.server import main; main()", "--port", "0", "--data-dir"]
    with subprocess.Popen(
        [*command, str(data)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        page = next(line for line in server.stdout if "Page" in line)
        yield page.split("//")[1].strip().rstrip("/")
        server.terminate()
