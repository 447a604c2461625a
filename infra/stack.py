"""One stage of the service: every construct, and how they hang together."""

from __future__ import annotations

from aws_cdk import CfnOutput, Environment, Stack, Tags
from constructs import Construct

from infra.constructs.jobs import Jobs
from infra.constructs.storage import Storage
from infra.settings import StageSettings


class StylizerStack(Stack):
    """Everything of one stage.

    Args:
        scope: The app.
        settings: Of the stage.
    """

    def __init__(self, scope: Construct, settings: StageSettings):
        super().__init__(
            scope,
            settings.name,
            description=f"Image Stylizer, stage {settings.stage}",
            env=Environment(account=settings.account, region=settings.region),
            termination_protection=settings.is_kept,
        )
        Tags.of(self).add("service", "image-stylizer")
        Tags.of(self).add("stage", settings.stage)
        storage = Storage(self, "Storage", settings=settings)
        jobs = Jobs(self, "Jobs", settings=settings)
        for name, value in {
            "UploadsBucket": storage.uploads.bucket_name,
            "ResultsBucket": storage.results.bucket_name,
            "PaintQueue": jobs.paint_queue.queue_url,
            "DeadLetters": jobs.dead_letters.queue_url,
        }.items():
            CfnOutput(self, name, value=value)
