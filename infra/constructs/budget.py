"""Monthly cost budget with email notifications."""

from __future__ import annotations

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from infra.settings import StageSettings


class Budget(Construct):
    """Budget that sends an email when the actual or forecast cost of the month exceeds the limit.

    It covers the whole account: costs per stage need cost allocation tags, which have to be activated by hand in the
    billing console.
    """

    def __init__(self, scope: Construct, id: str, *, settings: StageSettings, alarm_email: str):  # noqa: A002
        super().__init__(scope, id)
        subscriber = budgets.CfnBudget.SubscriberProperty(address=alarm_email, subscription_type="EMAIL")
        budgets.CfnBudget(
            self,
            "Month",
            budget=budgets.CfnBudget.BudgetDataProperty(
                # No name: another alarm_email replaces the budget, and two of one name cannot be side by side. Nor can
                # those of one stage in two regions, since budgets belong to the account.
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=settings.monthly_budget_usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind, comparison_operator="GREATER_THAN", threshold=100
                    ),
                    subscribers=[subscriber],
                )
                for kind in ("ACTUAL", "FORECASTED")
            ],
        )
