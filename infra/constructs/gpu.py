"""GPU painters: an asynchronous SageMaker endpoint that scales to zero."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs import environment
from infra.constructs.common import acknowledge, acknowledge_folders, allow, make_logs
from infra.constructs.gpu_scaling import GpuScaling
from infra.constructs.jobs import Jobs
from infra.constructs.painter import image_options
from infra.constructs.storage import JOBS, SAGEMAKER_OUTPUT, Storage
from infra.settings import ROOT, StageSettings

_VARIANT = "painter"
_AMI = "al2023-ami-sagemaker-inference-gpu-4-1"  # has the driver (580) that torch's CUDA 13 needs
_START_SECONDS = 900  # to fetch an image with CUDA and to paint a first picture


class Gpu(Construct):
    """Endpoint with the target "sagemaker" of the painter's Dockerfile.

    Attributes:
        endpoint_name: Name of the endpoint.
        endpoint_arn: ARN of the endpoint.
        topics: Success topic and error topic of invocations.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002
        *,
        settings: StageSettings,
        endpoint_name: str,
        storage: Storage,
        jobs: Jobs,
    ):
        super().__init__(scope, id)
        self._settings = settings
        self._results = storage.results
        self.endpoint_name = endpoint_name
        self.endpoint_arn = Stack.of(self).format_arn(
            service="sagemaker", resource="endpoint", resource_name=endpoint_name
        )
        self.topics = [self._make_topic("Done"), self._make_topic("Failed")]
        self.logs = make_logs(self, "Logs", settings, f"/aws/sagemaker/Endpoints/{endpoint_name}")
        image = assets.DockerImageAsset(
            self,
            "Image",
            directory=str(ROOT),
            target="sagemaker",
            platform=assets.Platform.LINUX_AMD64,
            # SageMaker refuses OCI manifests, which Docker with the containerd image store would push.
            outputs=["type=docker"],
            **image_options(settings),
        )
        model = self._make_model(storage, jobs, image)
        endpoint = self._make_endpoint(model)
        GpuScaling(
            self,
            "Scaling",
            endpoint=endpoint,
            endpoint_name=endpoint_name,
            variant=_VARIANT,
            most=settings.gpu_max_instances,
        )

    def _make_topic(self, id: str) -> sns.Topic:  # noqa: A002
        # A key of AWS's own does: SageMaker tells in the name of the role, which the key lets in.
        key = kms.Alias.from_alias_name(self, f"{id}Key", "alias/aws/sns")
        return sns.Topic(self, id, master_key=key, enforce_ssl=True)

    def _make_model(self, storage: Storage, jobs: Jobs, image: assets.DockerImageAsset) -> sagemaker.CfnModel:
        return sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=self._make_role(storage, jobs, image).role_arn,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=image.image_uri,
                environment={
                    **environment.for_painters(self._settings, storage, jobs),
                    **environment.for_dispatchers(self._settings),
                },
            ),
        )

    def _make_endpoint(self, model: sagemaker.CfnModel) -> sagemaker.CfnEndpoint:
        done, failed = self.topics
        output = f"s3://{self._results.bucket_name}/{SAGEMAKER_OUTPUT}"
        # Model and config have generated names, so that they can be replaced while in use.
        config = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=_VARIANT,
                    model_name=model.attr_model_name,
                    instance_type=self._settings.gpu_instance_type,
                    inference_ami_version=_AMI,
                    initial_instance_count=1,  # an endpoint cannot be created with zero
                    initial_variant_weight=1,
                    container_startup_health_check_timeout_in_seconds=_START_SECONDS,
                )
            ],
            async_inference_config=sagemaker.CfnEndpointConfig.AsyncInferenceConfigProperty(
                client_config=sagemaker.CfnEndpointConfig.AsyncInferenceClientConfigProperty(
                    max_concurrent_invocations_per_instance=1
                ),
                output_config=sagemaker.CfnEndpointConfig.AsyncInferenceOutputConfigProperty(
                    s3_output_path=output,
                    s3_failure_path=output,
                    notification_config=sagemaker.CfnEndpointConfig.AsyncInferenceNotificationConfigProperty(
                        success_topic=done.topic_arn, error_topic=failed.topic_arn
                    ),
                ),
            ),
        )
        endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self.endpoint_name,
            endpoint_config_name=config.attr_endpoint_config_name,
            retain_all_variant_properties=True,  # an update keeps the current instance count
        )
        endpoint.node.add_dependency(self.logs)
        return endpoint

    def _make_role(self, storage: Storage, jobs: Jobs, image: assets.DockerImageAsset) -> iam.Role:
        """Return the role of SageMaker and of the painter in its container."""
        results = storage.results
        metrics = allow("cloudwatch:PutMetricData", on=["*"])
        metrics.add_condition("StringEquals", {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"})
        statements = [
            allow("ecr:GetAuthorizationToken", on=["*"]),
            allow(
                *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
                on=[image.repository.repository_arn],
            ),
            metrics,
            allow("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=[self.logs.log_group_arn]),
            allow("sns:Publish", on=[topic.topic_arn for topic in self.topics]),
            allow("s3:PutObject", on=[results.arn_for_objects(f"{SAGEMAKER_OUTPUT}*")]),
            # The painter in the container.
            allow(*("s3:DeleteObject", "s3:GetObject", "s3:PutObject"), on=[results.arn_for_objects(f"{JOBS}*")]),
            allow("s3:ListBucket", on=[results.bucket_arn]),
            allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=[jobs.table.table_arn]),
            allow("sqs:SendMessage", on=[jobs.webhook_queue.queue_arn]),
            allow("sagemaker:InvokeEndpointAsync", on=[self.endpoint_arn]),
        ]
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
            inline_policies={"Calls": iam.PolicyDocument(statements=statements)},
        )
        reason = "Tokens for registries and metrics know no resources to name; metrics are held to their namespace."
        acknowledge(role, "AwsSolutions-IAM5[Resource::*]", reason)
        acknowledge_folders(role, [(results, JOBS), (results, SAGEMAKER_OUTPUT)])
        return role
