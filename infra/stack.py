"""Stack of one stage: all constructs and their wiring."""

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
from infra.constructs.metrics import MonitoredResources
from infra.constructs.monitoring import Monitoring
from infra.constructs.painter import Painter
from infra.constructs.reconciler import Reconciler
from infra.constructs.storage import Storage
from infra.constructs.waf import Waf
from infra.settings import StageSettings


class StylizerStack(Stack):
    """All resources of one stage.

    Args:
        scope: The app.
        settings: Settings of the stage.
        exists: False for the first create, which makes the stack without protection from deletion: one that fails
            could not be rolled back otherwise.
    """

    def __init__(self, scope: Construct, settings: StageSettings, *, exists: bool):
        is_protected = settings.retain_data and exists
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
        storage.allow_cors(gateway.origins, settings.allowed_origins)
        painter = Painter(self, "Painter", settings=settings, storage=storage, jobs=jobs)
        reconciler = Reconciler(
            self,
            "Reconciler",
            settings=settings,
            storage=storage,
            jobs=jobs,
            layer=layer,
            endpoint_arn=endpoint_arn,
            topics=gpu.topics if gpu else [],
        )
        resources = _monitored_resources(settings, storage, jobs, gateway, api, painter, reconciler)
        monitoring = Monitoring(self, "Monitoring", resources=resources, alarm_email=settings.alarm_email)
        if settings.alarm_email and settings.monthly_budget_usd:
            Budget(self, "Budget", settings=settings, alarm_email=settings.alarm_email)
        if settings.waf:
            Waf(self, "Waf", settings=settings, rest_api=gateway.rest_api)
        for name, value in _outputs(settings, storage, jobs, gateway, monitoring).items():
            CfnOutput(self, name, value=value)
        self._add_handler_log_groups(settings)

    def _add_handler_log_groups(self, settings: StageSettings) -> None:
        """Add log groups with retention for the CDK's custom resource handlers; Lambda would create ones without.

        `CustomResourceConfig.add_log_retention_lifetime` adds yet another function, with such a log group itself.
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


def _monitored_resources(
    settings: StageSettings,
    storage: Storage,
    jobs: Jobs,
    gateway: Gateway,
    api: Api,
    painter: Painter,
    reconciler: Reconciler,
) -> MonitoredResources:
    return MonitoredResources(
        name=settings.name,
        rest_api=gateway.rest_api,
        functions={"api": api.function, "painter": painter.function, "reconciler": reconciler.function},
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
    """Return the outputs of the stack."""
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
