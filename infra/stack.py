"""One stage of the service: every construct, and how they hang together."""

from __future__ import annotations

from aws_cdk import CfnOutput, CfnResource, Environment, Stack, Tags
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import zips
from infra.constructs.api import Api
from infra.constructs.budget import Budget
from infra.constructs.common import architecture, make_logs
from infra.constructs.gateway import Gateway
from infra.constructs.gpu import Gpu
from infra.constructs.jobs import Jobs
from infra.constructs.measures import Watched
from infra.constructs.monitoring import Monitoring
from infra.constructs.painter import Painter
from infra.constructs.settle import Settle
from infra.constructs.storage import Storage
from infra.constructs.waf import Waf
from infra.settings import StageSettings


class StylizerStack(Stack):
    """Everything of one stage.

    Args:
        scope: The app.
        settings: Of the stage.
        is_standing: False for the first create, which makes the stack without protection from deletion: one that fails
            could not be rolled back otherwise.
    """

    def __init__(self, scope: Construct, settings: StageSettings, *, is_standing: bool):
        is_protected = settings.is_kept and is_standing
        super().__init__(
            scope,
            settings.name,
            description=f"Image Stylizer, stage {settings.stage}",
            env=Environment(account=settings.account, region=settings.region),
            termination_protection=is_protected,
        )
        Tags.of(self).add("service", "image-stylizer")
        Tags.of(self).add("stage", settings.stage)
        layer = self._make_layer(settings)
        storage = Storage(self, "Storage", settings=settings)
        jobs = Jobs(self, "Jobs", settings=settings, is_protected=is_protected)
        gpu = self._make_gpu(settings, storage, jobs)
        endpoint_arn = gpu.endpoint_arn if gpu else None
        api = Api(self, "Api", settings=settings, storage=storage, jobs=jobs, layer=layer, endpoint_arn=endpoint_arn)
        gateway = Gateway(self, "Gateway", settings=settings, function=api.function)
        storage.admit(gateway.origins, settings.allowed_origins)
        painter = Painter(self, "Painter", settings=settings, storage=storage, jobs=jobs)
        settle = Settle(
            self,
            "Settle",
            settings=settings,
            storage=storage,
            jobs=jobs,
            layer=layer,
            endpoint_arn=endpoint_arn,
            topics=gpu.topics if gpu else [],
        )
        watched = _watched(settings, storage, jobs, gateway, api, painter, settle)
        monitoring = Monitoring(self, "Monitoring", watched=watched, alarm_email=settings.alarm_email)
        if settings.alarm_email and settings.monthly_budget_usd:
            Budget(self, "Budget", settings=settings, alarm_email=settings.alarm_email)
        if settings.waf:
            Waf(self, "Waf", settings=settings, rest_api=gateway.rest_api)
        for name, value in _outputs(settings, storage, jobs, gateway, monitoring).items():
            CfnOutput(self, name, value=value)
        self._end_logs_of_handlers(settings)

    def _end_logs_of_handlers(self, settings: StageSettings) -> None:
        """Give the functions that the CDK brings a log group, in place of one that Lambda makes and keeps for ever.

        `CustomResourceConfig.add_log_retention_lifetime` would do so by yet another function, with such a log itself.
        """
        for provider in self.node.children:
            handler = provider.node.try_find_child("Handler")
            if isinstance(handler, CfnResource) and handler.cfn_resource_type == "AWS::Lambda::Function":
                logs = make_logs(self, f"{provider.node.id.removeprefix('Custom::')}Logs", settings)
                handler.add_property_override("LoggingConfig", {"LogGroup": logs.log_group_name})

    def _make_layer(self, settings: StageSettings) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            "Layer",
            description="The service and what it is built on",
            code=zips.layer_code(settings.architecture),
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            compatible_architectures=[architecture(settings)],
        )

    def _make_gpu(self, settings: StageSettings, storage: Storage, jobs: Jobs) -> Gpu | None:
        if settings.endpoint_name is None:
            return None
        return Gpu(self, "Gpu", settings=settings, endpoint_name=settings.endpoint_name, storage=storage, jobs=jobs)


def _watched(
    settings: StageSettings,
    storage: Storage,
    jobs: Jobs,
    gateway: Gateway,
    api: Api,
    painter: Painter,
    settle: Settle,
) -> Watched:
    return Watched(
        name=settings.name,
        rest_api=gateway.rest_api,
        functions={"api": api.function, "painter": painter.function, "settle": settle.function},
        painter_logs=painter.logs,
        paint_queue=jobs.paint_queue,
        dead_letters=jobs.dead_letters,
        webhook_queue=jobs.webhook_queue,
        undelivered=jobs.undelivered,
        table=jobs.table,
        buckets={"uploads": storage.uploads, "results": storage.results},
        endpoint_name=settings.endpoint_name,
    )


def _outputs(
    settings: StageSettings, storage: Storage, jobs: Jobs, gateway: Gateway, monitoring: Monitoring
) -> dict[str, str]:
    """What an owner needs to know of the stage once it is there."""
    return {
        "ApiUrl": gateway.url,
        "ApiKeyId": gateway.key.key_id,
        "UploadsBucket": storage.uploads.bucket_name,
        "ResultsBucket": storage.results.bucket_name,
        "PaintQueue": jobs.paint_queue.queue_url,
        "DeadLetters": jobs.dead_letters.queue_url,
        "Undelivered": jobs.undelivered.queue_url,
        "Dashboard": monitoring.dashboard.dashboard_name,
        "AlarmTopic": monitoring.topic.topic_arn,
        **({"EndpointName": settings.endpoint_name} if settings.endpoint_name else {}),
        **({"DomainTarget": gateway.domain.domain_name_alias_domain_name} if gateway.domain else {}),
    }
