"""How many instances the endpoint with a GPU has: none while nothing waits."""

from __future__ import annotations

from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

_METRICS = "AWS/SageMaker"
_WAITING_PER_INSTANCE = 2  # more than that are worth another instance: one paints, one waits
_SCALE_OUT_PAUSE = 300  # seconds; about as long as an instance takes to come
_SCALE_IN_PAUSE = 600

_Policy = scaling.CfnScalingPolicy


class GpuScaling(Construct):
    """From none to one when something waits, to more by what waits for each, and back to none.

    It takes two policies. What waits for each of no instances is nothing, so that by the first one alone an endpoint
    without any would stay so; the second one only ever wakes it up.
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
        # No role: Application Auto Scaling has one of its own in every account.
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
                target_value=_WAITING_PER_INSTANCE,
                scale_out_cooldown=_SCALE_OUT_PAUSE,
                scale_in_cooldown=_SCALE_IN_PAUSE,
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
                cooldown=_SCALE_OUT_PAUSE,
                step_adjustments=[_Policy.StepAdjustmentProperty(metric_interval_lower_bound=0, scaling_adjustment=1)],
            ),
        )
        cloudwatch.CfnAlarm(
            self,
            "Waiting",
            alarm_description="Something waits for the endpoint, and it has no instance: gets it one, and tells nobody",
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
