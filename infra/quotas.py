"""Check of the account's service quotas, before a deploy that CloudFormation would roll back halfway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from infra.existing_stack import Environment
from infra.settings import StageSettings

CONCURRENCY: Final = "L-B99A9384"
_DEFAULT_CONCURRENCY: Final = 1000
_NEW_ACCOUNT_MEMORY: Final = 3008  # MiB of one function
_UNRESERVED: Final = 100
"""Concurrency that Lambda keeps unreserved."""


class UnknownQuotas(Exception):
    """Service Quotas could not be queried; the message says why."""


def find_shortages(settings: StageSettings, environment: Environment) -> list[str]:
    """Return a sentence with the cure for each quota that is too low for the stage.

    Raises:
        UnknownQuotas: Access is denied, or the service does not answer.
    """
    try:
        quotas = environment.client("service-quotas")
        found = quotas.get_service_quota(ServiceCode="lambda", QuotaCode=CONCURRENCY)["Quota"]["Value"]
        return [*_of_lambda(settings, int(found)), *(_of_sagemaker(settings, quotas) if settings.gpu else ())]
    except (BotoCoreError, ClientError) as error:
        raise UnknownQuotas(str(error)) from error


def _of_lambda(settings: StageSettings, concurrency: int) -> Iterator[str]:
    has = f"this account has a concurrency of {concurrency} (Lambda quota {CONCURRENCY})"
    if settings.api_concurrency is not None and concurrency - settings.api_concurrency < _UNRESERVED:
        most = concurrency - _UNRESERVED
        cure = f"at most {most}" if most > 0 else "api_concurrency removed, or a higher quota"
        yield (
            f"api_concurrency is {settings.api_concurrency}; {has}, of which {_UNRESERVED} cannot be reserved; "
            f"allowed: {cure}"
        )
    if settings.painter_concurrency >= concurrency:
        yield (
            f"painter_concurrency is {settings.painter_concurrency}; {has}, which the API needs a part of; "
            f"allowed: at most {concurrency - 1}, or a higher quota"
        )
    # There is no quota for memory to ask for. AWS lifts both together when it trusts an account.
    if concurrency < _DEFAULT_CONCURRENCY and settings.painter_memory > _NEW_ACCOUNT_MEMORY:
        yield (
            f"painter_memory is {settings.painter_memory}; {has}, as new accounts do, whose functions get at most "
            f"{_NEW_ACCOUNT_MEMORY} MiB; allowed: at most {_NEW_ACCOUNT_MEMORY}, until AWS support has raised both"
        )


def _of_sagemaker(settings: StageSettings, quotas: Any) -> Iterator[str]:
    name = f"{settings.gpu_instance_type} for endpoint usage"
    # Those that were ever raised are listed by the first call only, and the others by the second.
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        for page in quotas.get_paginator(operation).paginate(ServiceCode="sagemaker"):
            for quota in page["Quotas"]:
                if quota["QuotaName"] == name:
                    if quota["Value"] < settings.gpu_max_instances:
                        yield (
                            f"gpu_max_instances is {settings.gpu_max_instances}; the quota {name!r} "
                            f"({quota['QuotaCode']}) is {quota['Value']:g}; raise it first"
                        )
                    return
    yield f"gpu_instance_type is {settings.gpu_instance_type}; SageMaker has no quota {name!r} in this region"
