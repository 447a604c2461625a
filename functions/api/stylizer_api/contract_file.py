"""Export the contract of the deployed service, where each call takes an API key."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from stylizer_api.app import create_app
from stylizer_service.adapters.local import open_local
from stylizer_service.settings import Settings


def deployed_contract() -> str:
    """Return the OpenAPI document as text. It does not depend on the adapters."""
    with tempfile.TemporaryDirectory() as folder, closing(open_local(Settings(data_dir=Path(folder)))) as local:
        app = create_app(local.service, identify=lambda request: "anonymous", needs_key=True)  # noqa: ARG005
        return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(deployed_contract(), encoding="utf-8")
