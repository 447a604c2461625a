"""Scaling of the GPU endpoint between zero and its maximum."""

from __future__ import annotations

from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

_METRICS = "AWS/SageMaker"
_BACKLOG_PER_INSTANCE = 2  # scale out above it: one job runs, one waits
_SCALE_OUT_COOLDOWN = 300  # seconds; about the start time of an instance
_SCALE_IN_COOLDOWN = 600

_Policy = scaling.CfnScalingPolicy


class GpuScaling(Construct):
    """Target tracking on the backlog per instance, and a step policy from zero to one.

    The backlog per instance is undefined at zero instances, so that target tracking alone would never scale out from
    there; the step policy does only that.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002
        *,
        endpoint: sagemaker.CfnEndpoint,
        endpoint_name: str,
        variant: str,
        most: int,
    ):
        super().__init__(scope, id)
        self._endpoint_name = endpoint_name
        # No role: Application Auto Scaling uses its service-linked role.
        self._target = scaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{endpoint_name}/variant/{variant}",
            min_capacity=0,
            max_capacity=most,
        )
        self._target.node.add_dependency(endpoint)
        self._follow_backlog()
        self._wake_up()

    def _follow_backlog(self) -> None:
        metric = _Policy.CustomizedMetricSpecificationProperty(
            namespace=_METRICS,
            metric_name="ApproximateBacklogSizePerInstance",
            dimensions=[_Policy.MetricDimensionProperty(name="EndpointName", value=self._endpoint_name)],
            statistic="Average",
        )
        _Policy(
            self,
            "ByBacklog",
            policy_name="by-backlog",
            policy_type="TargetTrackingScaling",
            scaling_target_id=self._target.ref,
            target_tracking_scaling_policy_configuration=_Policy.TargetTrackingScalingPolicyConfigurationProperty(
                customized_metric_specification=metric,
                target_value=_BACKLOG_PER_INSTANCE,
                scale_out_cooldown=_SCALE_OUT_COOLDOWN,
                scale_in_cooldown=_SCALE_IN_COOLDOWN,
            ),
        )

    def _wake_up(self) -> None:
        policy = _Policy(
            self,
            "FromNone",
            policy_name="from-none",
            policy_type="StepScaling",
            scaling_target_id=self._target.ref,
            step_scaling_policy_configuration=_Policy.StepScalingPolicyConfigurationProperty(
                adjustment_type="ChangeInCapacity",
                metric_aggregation_type="Average",
                cooldown=_SCALE_OUT_COOLDOWN,
                step_adjustments=[_Policy.StepAdjustmentProperty(metric_interval_lower_bound=0, scaling_adjustment=1)],
            ),
        )
        cloudwatch.CfnAlarm(
            self,
            "Waiting",
            alarm_description="A job waits for an endpoint without instances: starts one, sends no notification",
            namespace=_METRICS,
            metric_name="HasBacklogWithoutCapacity",
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="EndpointName", value=self._endpoint_name)],
            statistic="Average",
            period=60,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[policy.ref],
        )
