"""The CDK app: one stack, of the stage that is asked for.

python -m infra.app          synthesizes the stage $STAGE of cdk.json, or dev, into cdk.out
cdk deploy -c stage=prod     as the CDK's command line does it; `make deploy STAGE=prod` is the same
"""

from __future__ import annotations

import os
import sys

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.settings import FIRST_CREATE, ROOT, StageSettings, WrongSettings, find_settings, read_context
from infra.stack import StylizerStack


def make_app(settings: StageSettings, outdir: str | None, *, is_standing: bool = True) -> App:
    """The app with the stack of one stage, to be checked by cdk-nag when it is synthesized.

    Args:
        settings: Of the stage.
        outdir: Where to; None is where the CDK's command line wants it, or a new folder.
        is_standing: See `StylizerStack`.
    """
    app = App(outdir=outdir, context=read_context(), analytics_reporting=False)
    StylizerStack(app, settings, is_standing=is_standing)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    return app


def main() -> None:
    """Synthesize. What is wrong with the settings is told in words."""
    context = App(context=read_context()).node
    stage = context.try_get_context("stage") or os.environ.get("STAGE") or "dev"
    try:
        settings = find_settings(stage, os.environ)
    except WrongSettings as error:
        sys.exit(str(error))
    # The CDK's command line says where it wants it.
    outdir = None if "CDK_OUTDIR" in os.environ else str(ROOT / "cdk.out")
    make_app(settings, outdir, is_standing=context.try_get_context(FIRST_CREATE) is None).synth()


if __name__ == "__main__":
    main()
