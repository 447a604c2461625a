"""Web application firewall: AWS managed rules and a rate limit per address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from infra.constructs.common import make_logs
from infra.settings import StageSettings

COUNTED_RULES: Final = {
    "NoUserAgent_HEADER": "Programs call this API, and few HTTP libraries are made to send a User-Agent.",
    "SizeRestrictions_BODY": "It takes 8 KB; photos in a form are larger. The gateway and the API have limits.",
    "CrossSiteScripting_BODY": "It takes XMP, the XML that cameras write into a JPEG, for a script. No body is ever "
    "shown as a page.",
    "GenericRFI_BODY": "It takes a URL whose host is an IPv4 address for the inclusion of a file, and such a `webhook` "
    "is allowed. `outbound/addresses.py` lets public addresses through and no others.",
    "GenericLFI_BODY": "It looks for paths such as `../`, which the bytes of a picture hold by chance. No path is ever "
    "made of a body.",
    "EC2MetaDataSSRF_BODY": "It looks for the addresses of instance metadata, which the bytes of a picture hold by "
    "chance. The only address this service ever calls is a webhook's, which has to be public.",
}
"""Rules of the common rule set that would block legal requests, with the reason for counting instead. All other rules
block. Counted requests are in the log of the firewall."""

_WINDOW = 300  # seconds


class Waf(Construct):
    """Regional web ACL, associated with the stage of the gateway.

    Attributes:
        acl: Web ACL.
        logs: Blocked and counted requests, API keys redacted.
    """

    def __init__(self, scope: Construct, id: str, *, settings: StageSettings, rest_api: apigateway.RestApi):  # noqa: A002
        super().__init__(scope, id)
        self.acl = wafv2.CfnWebACL(
            self,
            "Acl",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visibility(settings.name),
            rules=[
                # First, so that a flood is evaluated by one rule only.
                _rate(0, settings.waf_rate_limit),
                _managed(1, "AWSManagedRulesAmazonIpReputationList"),
                _managed(2, "AWSManagedRulesKnownBadInputsRuleSet"),
                _managed(3, "AWSManagedRulesCommonRuleSet", only_counted=COUNTED_RULES),
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
        name = f"aws-waf-logs-{settings.name}"  # WAF requires this prefix
        self.logs = make_logs(self, "Logs", settings, name)
        logging = wafv2.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=self.acl.attr_arn,
            # The ARN attribute of the log group ends in ":*", which WAF rejects.
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
            # Allowed requests are in the access log of the gateway.
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
    """Return a rule that blocks an address above `limit` requests in five minutes."""
    return wafv2.CfnWebACL.RuleProperty(
        name="RateOfOneAddress",
        priority=priority,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        visibility_config=_visibility("RateOfOneAddress"),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=limit, evaluation_window_sec=_WINDOW
            )
        ),
    )


def _managed(priority: int, name: str, *, only_counted: Iterable[str] = ()) -> wafv2.CfnWebACL.RuleProperty:
    """Return an AWS managed rule group."""
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        visibility_config=_visibility(name),
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


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    """Return metrics without samples: samples hold whole requests with API keys."""
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
