"""The license of everything that is deployed.

    python -m infra.licenses

prints a table, and fails where a license is not known or not allowed.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution

from infra import locks

DEPLOYED = {
    "layer": ("layer",),
    "painter-lambda": ("painter", "torch-cpu"),
    "painter-sagemaker": ("painter", "torch-cuda"),
}
"""What is deployed, each with its locks."""

ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "HPND", "ISC", "LLVM-exception"),
        *("MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"),
    }
)
"""SPDX names of licenses under which anyone may run and pass on the whole, in a product too."""

_NVIDIA = (
    "LicenseRef-NVIDIA-Proprietary",
    "NVIDIA's libraries, in the image for SageMaker only: closed, under terms that let an application bring them",
)
EXCEPTIONS = {
    "pillow-heif": (
        "BSD-3-Clause AND LGPL-3.0-only AND GPL-2.0-only",
        "its wheel brings libheif and libde265 (LGPL) and x265 (GPL), which writes HEIC and is never called. Running "
        "them asks for nothing; who passes an image or the layer on owes the source of these three to whoever gets it",
    ),
    "cuda-toolkit": _NVIDIA,
    **{
        f"nvidia-{part}": _NVIDIA
        for part in (
            *("cublas", "cuda-cupti", "cuda-nvrtc", "cuda-runtime", "cudnn-cu13", "cufft", "cufile", "curand"),
            *("cusolver", "cusparse", "cusparselt-cu13", "nccl-cu13", "nvjitlink", "nvshmem-cu13"),
        )
    },
}
"""Licenses that are not on the list and yet accepted, with the reason."""

# Read by hand, where the metadata say it in no word that a program knows, or where it is installed on no machine that
# tests, as what only a GPU needs.
_READ = {
    "cuda-bindings": "Apache-2.0",
    "cuda-pathfinder": "Apache-2.0",
    "nvidia-nvtx": "Apache-2.0",
    "python-dateutil": "Apache-2.0 AND BSD-3-Clause",
    "triton": "MIT",
}
# What metadata from before SPDX call these licenses. Every project here whose metadata say "BSD" has its third clause.
_NAMES = {
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
}


def license_of(name: str) -> str:
    """The license of a distribution, as an SPDX expression or as the metadata call it; "unknown" if they do not."""
    if name in EXCEPTIONS:
        return EXCEPTIONS[name][0]
    if name in _READ:
        return _READ[name]
    try:
        said = distribution(name).metadata
    except PackageNotFoundError:
        return "unknown"
    classifiers = [text.rpartition(" :: ")[2] for text in said.get_all("Classifier", []) if text.startswith("License")]
    named: list[str] = [*said.get_all("License-Expression", []), *said.get_all("License", []), *classifiers]
    short = next((text for text in named if "\n" not in text), "unknown")
    return _NAMES.get(short, short)


def is_allowed(name: str, expression: str) -> bool:
    """Whether a distribution may be deployed under these terms: one of alternatives, all of what is joined."""
    if name in EXCEPTIONS:
        return expression == EXCEPTIONS[name][0]
    alternatives = re.split(r"\s+OR\s+", expression)
    return any(ALLOWED.issuperset(re.split(r"\s+(?:AND|WITH)\s+", each.strip("() "))) for each in alternatives)


def deployed() -> dict[tuple[str, str], list[str]]:
    """Everything that is deployed, by name and version, with what it is in."""
    found: dict[tuple[str, str], list[str]] = {}
    for part, names in DEPLOYED.items():
        for name, pin in (item for lock in names for item in locks.read(lock).items()):
            found.setdefault((name, pin.version), []).append(part)
    return found


def main() -> int:
    """Print the table; 1 if something in it is not allowed."""
    refused = []
    for (name, version), parts in sorted(deployed().items()):
        said = license_of(name)
        sys.stdout.write(f"{name:<23} {version:<12} {', '.join(parts):<50} {said}\n")
        if not is_allowed(name, said):
            refused.append(f"{name}: {said}")
    for reason in dict.fromkeys(reason for _, reason in EXCEPTIONS.values()):
        names = [name for name, (_, own) in EXCEPTIONS.items() if own == reason]
        sys.stdout.write(f"\nNot on the list, and accepted: {', '.join(names)}: {reason}.\n")
    if refused:
        sys.stderr.write(f"\nnot allowed: {'; '.join(refused)}\n")
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
