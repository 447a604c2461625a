"""The firewall before the gateway: rules that AWS keeps, and so many requests for each address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from infra.constructs.common import make_logs
from infra.settings import StageSettings

ONLY_COUNTED: Final = {
    "NoUserAgent_HEADER": "Programs call this API, and few HTTP libraries are made to send a User-Agent.",
    "SizeRestrictions_BODY": "It takes 8 KB; photos in a form are larger. The gateway and the API have limits.",
    "CrossSiteScripting_BODY": "It takes XMP, the XML that cameras write into a JPEG, for a script. No body is ever "
    "shown as a page.",
    "GenericRFI_BODY": "It takes a URL whose host is an IPv4 address for the inclusion of a file, and such a `webhook` "
    "is allowed. `webhook_addresses.py` lets public addresses through and no others.",
    "GenericLFI_BODY": "It looks for paths such as `../`, which the bytes of a picture hold by chance. No path is ever "
    "made of a body.",
    "EC2MetaDataSSRF_BODY": "It looks for the addresses of instance metadata, which the bytes of a picture hold by "
    "chance. The only address this service ever calls is a webhook's, which has to be public.",
}
"""Rules of the common rule set that would block what this API is made for, with the reason why each only counts. All
other rules block. What they counted stands in the log of the firewall."""

_WINDOW = 300  # seconds


class Waf(Construct):
    """A web ACL of the region, on the stage of the gateway.

    Attributes:
        acl: The rules.
        logs: What was refused or counted, without keys of callers.
    """

    def __init__(self, scope: Construct, id: str, *, settings: StageSettings, rest_api: apigateway.RestApi):  # noqa: A002
        super().__init__(scope, id)
        self.acl = wafv2.CfnWebACL(
            self,
            "Acl",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible(settings.name),
            rules=[
                # First, so that a flood is paid for once.
                _rate(0, settings.waf_rate_limit),
                _managed(1, "AWSManagedRulesAmazonIpReputationList"),
                _managed(2, "AWSManagedRulesKnownBadInputsRuleSet"),
                _managed(3, "AWSManagedRulesCommonRuleSet", only_counted=ONLY_COUNTED),
            ],
        )
        wafv2.CfnWebACLAssociation(
            self,
            "Association",
            web_acl_arn=self.acl.attr_arn,
            resource_arn=rest_api.deployment_stage.stage_arn,
        )
        self._write_logs(settings)

    def _write_logs(self, settings: StageSettings) -> None:
        name = f"aws-waf-logs-{settings.name}"  # the firewall writes to groups that are called so, and to no others
        self.logs = make_logs(self, "Logs", settings, name)
        logging = wafv2.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=self.acl.attr_arn,
            # Not the ARN that CloudFormation gives, which ends in ":*" and is refused.
            log_destination_configs=[
                Stack.of(self).format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=name,
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
            redacted_fields=[
                wafv2.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": header})
                for header in ("x-api-key", "authorization", "cookie")
            ],
            # Those that were let in stand in the log of the gateway.
            logging_filter={
                "DefaultBehavior": "DROP",
                "Filters": [
                    {
                        "Behavior": "KEEP",
                        "Requirement": "MEETS_ANY",
                        "Conditions": [
                            {"ActionCondition": {"Action": action}}
                            for action in ("BLOCK", "COUNT", "EXCLUDED_AS_COUNT")
                        ],
                    }
                ],
            },
        )
        logging.node.add_dependency(self.logs)


def _rate(priority: int, limit: int) -> wafv2.CfnWebACL.RuleProperty:
    """Refuse what is more than so many requests of one address in five minutes."""
    return wafv2.CfnWebACL.RuleProperty(
        name="RateOfOneAddress",
        priority=priority,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        visibility_config=_visible("RateOfOneAddress"),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=limit, evaluation_window_sec=_WINDOW
            )
        ),
    )


def _managed(priority: int, name: str, *, only_counted: Iterable[str] = ()) -> wafv2.CfnWebACL.RuleProperty:
    """A group of rules that AWS keeps."""
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        visibility_config=_visible(name),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(
                        name=rule, action_to_use=wafv2.CfnWebACL.RuleActionProperty(count={})
                    )
                    for rule in only_counted
                ]
                or None,
            )
        ),
    )


def _visible(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    """Counted by CloudWatch; no samples are kept, which hold whole requests with the keys of callers."""
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
