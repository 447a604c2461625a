from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import gc
from contextlib import suppress
from stylizer_service.startup import frozen_imports

with suppress(ImportError), frozen_imports():
    print(gc.isenabled())
    import decimal, {module}
print(gc.isenabled(), gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize("module", ["fractions", "there_is_none"])
def test_garbage_collection_resumes_and_skips_frozen_imports(module: str) -> None:
    command = [sys.executable, "-c", SCRIPT.format(module=module)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True", "True"]
