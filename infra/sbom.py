"""What each deployable is made of, as a software bill of materials: CycloneDX 1.6 in JSON.

    python -m infra.sbom

writes build/sbom/<deployable>.cdx.json from the locks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from infra import locks
from infra.bundles import ROOT
from infra.licenses import DEPLOYED, license_of

SCHEMA = SchemaVersion.V1_6
_PROJECT = "image-stylizer"


def describe(deployable: str, names: Iterable[str]) -> str:
    """The bill of materials of one deployable.

    Args:
        deployable: Its name.
        names: Its locks.
    """
    bom = Bom()
    root = Component(
        name=f"{_PROJECT}-{deployable}",
        version=version(_PROJECT),
        type=ComponentType.APPLICATION,
        bom_ref=deployable,
        licenses=[DisjunctiveLicense(id="MIT")],
    )
    bom.metadata.component = root
    pins = {name: pin for lock in names for name, pin in locks.read(lock).items()}
    components = [_component(name, pin) for name, pin in sorted(pins.items())]
    bom.components.update(components)
    bom.register_dependency(root, components)
    return make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string(indent=2)


def _component(name: str, pin: locks.Pin) -> Component:
    purl = PackageURL("pypi", name=name, version=pin.version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(purl.to_string()),
        comment="the files that are taken, by the lock",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each.removeprefix("sha256:")) for each in pin.hashes],
    )
    return Component(
        name=name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=[LicenseExpression(license_of(name))],
        external_references=[files] if pin.hashes else [],
    )


def write_all(folder: Path) -> list[Path]:
    """Write one file for each deployable."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for deployable, names in DEPLOYED.items():
        path = folder / f"{deployable}.cdx.json"
        path.write_text(describe(deployable, names) + "\n")
        written.append(path)
    return written


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\n" for path in write_all(ROOT / "build/sbom")))
