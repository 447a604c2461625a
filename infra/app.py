"""CDK app with one stack, for the requested stage.

python -m infra.app          synthesizes the stage $STAGE of cdk.json, or dev, into cdk.out
cdk deploy -c stage=prod     as the CDK's command line does it; `make deploy STAGE=prod` is the same
"""

from __future__ import annotations

import os
import sys

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.settings import FIRST_CREATE, ROOT, InvalidSettings, StageSettings, find_settings, read_context
from infra.stack import StylizerStack


def make_app(settings: StageSettings, outdir: str | None, *, exists: bool = True) -> App:
    """Return the app with the stack of one stage; cdk-nag checks it in the synth.

    Args:
        settings: Settings of the stage.
        outdir: Output directory; None leaves it to the CDK CLI, or makes a new one.
        exists: See `StylizerStack`.
    """
    app = App(outdir=outdir, context=read_context(), analytics_reporting=False)
    StylizerStack(app, settings, exists=exists)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    return app


def main() -> None:
    """Synthesize, or exit with a message if the settings are invalid."""
    context = App(context=read_context()).node
    stage = context.try_get_context("stage") or os.environ.get("STAGE") or "dev"
    try:
        settings = find_settings(stage, os.environ)
    except InvalidSettings as error:
        sys.exit(str(error))
    # The CDK CLI sets its own output directory.
    outdir = None if "CDK_OUTDIR" in os.environ else str(ROOT / "cdk.out")
    make_app(settings, outdir, exists=context.try_get_context(FIRST_CREATE) is None).synth()


if __name__ == "__main__":
    main()
