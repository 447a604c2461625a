"""What the functions without an image are deployed with: code that is made when it is uploaded, never in a synth.

A synth names each zip by its key and says how to make it; `cdk deploy` does so for what the account does not have yet.
A zip that cannot be made stops the deploy before anything in the account has changed.
"""

from __future__ import annotations

import sys

from aws_cdk import Annotations, Stack
from aws_cdk.aws_lambda import Code, CodeConfig
from aws_cdk.aws_s3 import Location
from constructs import Construct

from infra.bundles import Bundle, api, find_compiler, layer, settle
from infra.wheels import PYTHON


class ZipCode(Code):
    """A zip that is made by a command when it is uploaded."""

    def __init__(self, bundle: Bundle):
        super().__init__()
        self._bundle = bundle

    def bind(self, scope: Construct) -> CodeConfig:
        """Have the zip uploaded with the stack."""
        key = self._bundle.key()
        command = [sys.executable, "-m", "infra.bundles", self._bundle.name, "--key", key]
        uploaded = Stack.of(scope).synthesizer.add_file_asset(
            source_hash=key, executable=command, display_name=self._bundle.name
        )
        if self._bundle.compiler is None and self._bundle.requirements:  # told once, of the layer, which has most of it
            message = f"no Python {PYTHON} found here to make bytecode with: cold starts take about twice as long"
            Annotations.of(scope).add_info(message)
        return CodeConfig(s3_location=Location(bucket_name=uploaded.bucket_name, object_key=uploaded.object_key))


def layer_code(architecture: str) -> Code:
    """The layer of both functions.

    Args:
        architecture: "arm64" or "x86_64".
    """
    return ZipCode(layer(architecture, compiler=find_compiler()))


def api_code() -> Code:
    """The function `stylizer_api.lambda_handler.handler`, with the styles in /var/task/styles."""
    return ZipCode(api(compiler=find_compiler()))


def settle_code() -> Code:
    """The function `stylizer_reconciler.lambda_handler.handler`."""
    return ZipCode(settle(compiler=find_compiler()))
