"""Lambda code whose zip is built when it is uploaded, not when the stack is synthesized.

A synth names each zip by its key and the command that builds it; `cdk deploy` runs the command for each zip that the
account lacks. If that fails, the deploy stops before it changes anything in the account.
"""

from __future__ import annotations

import sys

from aws_cdk import Annotations, Stack
from aws_cdk.aws_lambda import Code, CodeConfig
from aws_cdk.aws_s3 import Location
from constructs import Construct

from infra.bundles import PYTHON, Bundle, api, find_compiler, layer, reconciler


class ZipCode(Code):
    """Code from a zip that a command builds on upload."""

    def __init__(self, bundle: Bundle):
        super().__init__()
        self._bundle = bundle

    def bind(self, scope: Construct) -> CodeConfig:
        """Add the zip to the assets of the stack."""
        key = self._bundle.key()
        command = [sys.executable, "-m", "infra.bundles", self._bundle.name, "--key", key]
        uploaded = Stack.of(scope).synthesizer.add_file_asset(
            source_hash=key, executable=command, display_name=self._bundle.name
        )
        if self._bundle.compiler is None and self._bundle.lock:  # once, for the layer, which has most of the code
            message = f"no Python {PYTHON} found to compile bytecode with: cold starts take about twice as long"
            Annotations.of(scope).add_info(message)
        return CodeConfig(s3_location=Location(bucket_name=uploaded.bucket_name, object_key=uploaded.object_key))


def layer_code(architecture: str) -> Code:
    """Return the code of the layer of both functions, for "arm64" or "x86_64"."""
    return ZipCode(layer(architecture, compiler=find_compiler()))


def api_code() -> Code:
    """Return the code of `stylizer_api.lambda_handler.handler`, with the styles in /var/task/styles."""
    return ZipCode(api(compiler=find_compiler()))


def reconciler_code() -> Code:
    """Return the code of `stylizer_reconciler.lambda_handler.handler`."""
    return ZipCode(reconciler(compiler=find_compiler()))
