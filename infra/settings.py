"""Settings of a stage: one entry of `stages` in cdk.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

ROOT: Final = Path(__file__).parents[1]

PAINTER_MARGIN: Final = 30
"""Seconds before its timeout at which a painter returns an unfinished job; equal to the painter's default."""

FIRST_CREATE: Final = "first_create"
"""Context key that `make deploy` sets for the first create of a stack."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")

_OLD_GPUS = re.compile(r"ml\.(p2|p3|p3dn|g3|g3s)\.")
"""Instance families with Kepler, Maxwell and Volta GPUs."""

Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?)$")]
LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827]  # what CloudWatch knows


class InvalidSettings(Exception):
    """Settings of a stage are invalid; the message names them and what is allowed."""


class StageSettings(BaseModel):
    """One stage, with the defaults for what cdk.json omits.

    Attributes:
        stage: Its name, which is its key in cdk.json and the first part of every path on the gateway's own host.
        name: Of the stack, and the start of what has to have a name; image-stylizer-<stage> unless given.
        account: Deploy into this account only; None takes that of the credentials.
        region: The same of the region.
        removal_policy: What becomes of files, table and logs when the stack is destroyed. With "retain" the table
            is also protected from deletion, and styles of callers that are deleted can be had back for a month.
        architecture: Of all Lambda functions, and so of the machine that builds the painter's image fastest.
        pip_extra_index_url: Where the painter's image finds the CPU build of torch, which the default index lacks. A
            stage that names none takes TORCH_CPU_INDEX of the environment, else what cdk.json names for all stages.
            Without it the image is not built; see docs/deployment.md.
        vgg19: Whether the images of the painters bring the weights of VGG-19, for `features: vgg19`.
        api_memory: Of the API's function, MiB; 1,769 are one processor.
        api_concurrency: Keep so many executions for the API, and let it have no more; None shares the account's.
        painter_memory: Of one painter, MiB. Accounts that are new may be held to 3,008.
        painter_timeout: Time of one painter, seconds. A painting has this less a margin of 30.
        painter_concurrency: Most painters at a time.
        gpu: Whether there is a SageMaker endpoint with a GPU, from zero instances up.
        gpu_instance_type: Of that endpoint.
        gpu_max_instances: Most of them at a time.
        rate_limit: Requests a second on average, per route, over all callers.
        burst_limit: The same, at once.
        key_rate_limit: Requests a second on average, of one API key.
        key_burst_limit: The same, at once.
        key_daily_quota: Requests of one API key a day.
        queue_limit: Most jobs waiting at a time; more are answered 429.
        log_days: How long logs are kept.
        result_days: How long a finished job keeps its files.
        upload_days: How long an uploaded file can be used.
        allowed_origins: Pages of these origins may call the API from a browser; "*" is any.
        domain_name: Serve the API there as well; needs certificate_arn.
        certificate_arn: A certificate of ACM for that name, in the region of the stack.
        waf: Whether a web application firewall stands before the API: managed rules, and a rate for each address.
        waf_rate_limit: Requests of one address in five minutes.
        alarm_email: Who hears of alarms; has to confirm the first mail.
        monthly_budget_usd: Tell alarm_email when a month of the whole account costs more, or is going to; 0 does not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    stage: str
    name: str = Field(default="", pattern=r"^[a-z][a-z0-9-]{0,40}$")
    account: str | None = Field(default=None, pattern=r"^[0-9]{12}$")
    region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    removal_policy: Literal["destroy", "retain"] = "retain"
    architecture: Literal["arm64", "x86_64"] = "arm64"
    pip_extra_index_url: str | None = Field(default=None, pattern=r"^https://\S+$")
    vgg19: bool = False
    api_memory: int = Field(default=1769, ge=512, le=10_240)
    api_concurrency: int | None = Field(default=None, ge=1, le=1000)
    painter_memory: int = Field(default=3008, ge=2048, le=10_240)
    painter_timeout: int = Field(default=900, ge=120, le=900)
    painter_concurrency: int = Field(default=10, ge=2, le=1000)  # what an event source mapping takes
    gpu: bool = False
    gpu_instance_type: str = Field(default="ml.g5.xlarge", pattern=r"^ml\.(g|p)[0-9][a-z0-9]*\.[a-z0-9]+$")
    gpu_max_instances: int = Field(default=1, ge=1, le=20)
    rate_limit: float = Field(default=50, gt=0, le=10_000)
    burst_limit: int = Field(default=100, ge=1, le=5_000)
    key_rate_limit: float = Field(default=10, gt=0, le=10_000)
    key_burst_limit: int = Field(default=20, ge=1, le=5_000)
    key_daily_quota: int = Field(default=10_000, ge=1)
    queue_limit: int = Field(default=1000, ge=1)
    log_days: LogDays = 30
    result_days: int = Field(default=1, ge=1, le=90)
    upload_days: int = Field(default=1, ge=1, le=30)
    allowed_origins: list[Origin] = []
    domain_name: str | None = Field(default=None, pattern=r"^([a-z0-9-]+\.)+[a-z]{2,}$")
    certificate_arn: str | None = Field(
        default=None, pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/\S+$"
    )
    waf: bool = False
    waf_rate_limit: int = Field(default=2000, ge=10, le=2_000_000_000)
    alarm_email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    monthly_budget_usd: float = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _name_after_the_stage(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {"name": f"image-stylizer-{values.get('stage', '')}"} | values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [
            ('"*" stands alone in allowed_origins', "*" in self.allowed_origins and len(self.allowed_origins) > 1),
            (
                "domain_name and certificate_arn go together",
                (self.domain_name is None) != (self.certificate_arn is None),
            ),
            (
                f"the endpoint would be called {self.endpoint_name}, and SageMaker takes 63 characters: a shorter name",
                len(self.endpoint_name or "") > 63,
            ),
            (
                f"gpu_instance_type is {self.gpu_instance_type}, whose GPUs CUDA 13 no longer runs on; allowed are "
                "g4dn and g5 or newer, p4d or newer",
                bool(_OLD_GPUS.match(self.gpu_instance_type)),
            ),
            ("monthly_budget_usd needs alarm_email", self.monthly_budget_usd > 0 and self.alarm_email is None),
            ("key_rate_limit is more than rate_limit, which all keys share", self.key_rate_limit > self.rate_limit),
            ("key_burst_limit is more than burst_limit, which all keys share", self.key_burst_limit > self.burst_limit),
            (
                f"the certificate is to be in {self.region}, where the stack is",
                None not in (self.certificate_arn, self.region) and f":{self.region}:" not in str(self.certificate_arn),
            ),
            *(
                (f"{name} is given, but {switch} is false", name in self.model_fields_set and not getattr(self, switch))
                for switch, names in _ONLY_WITH.items()
                for name in names
            ),
        ]
        if found := [text for text, is_wrong in problems if is_wrong]:
            raise ValueError("; ".join(found))
        return self

    @property
    def retain_data(self) -> bool:
        """Whether data is retained when the stack is destroyed."""
        return self.removal_policy == "retain"

    @property
    def endpoint_name(self) -> str | None:
        """Name of the GPU endpoint, or None.

        It is fixed because its container needs it, and has the instance type in it, which SageMaker cannot change on a
        variant that is a scalable target: another type is another endpoint.
        """
        kind = self.gpu_instance_type.removeprefix("ml.").replace(".", "-")
        return f"{self.name}-painter-{kind}" if self.gpu else None

    @property
    def painting_seconds(self) -> int:
        """Longest painting that a Lambda painter can finish, seconds."""
        return self.painter_timeout - PAINTER_MARGIN


_ONLY_WITH = {"gpu": ("gpu_instance_type", "gpu_max_instances"), "waf": ("waf_rate_limit",)}


def read_context() -> dict[str, Any]:
    """Return the context of cdk.json, for runs without the CDK CLI."""
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return context


def stage_settings(
    stages: Mapping[str, Mapping[str, Any]], stage: str, *, pip_extra_index_url: str | None = None
) -> StageSettings:
    """Return the settings of a stage.

    Args:
        stages: All stages, as in cdk.json.
        stage: Name of a stage.
        pip_extra_index_url: Default for a stage without one.

    Raises:
        InvalidSettings: There is no such stage, or a setting is unknown, missing or out of its range.
    """
    if stage not in stages:
        raise InvalidSettings(f"there is no stage {stage!r} in cdk.json; there are: {', '.join(stages)}")
    if not _NAME.fullmatch(stage):
        allowed = "allowed are up to 31 small letters, digits and hyphens, a letter first"
        raise InvalidSettings(f"{stage!r} cannot be the name of a stage; {allowed}")
    try:
        index = {"pip_extra_index_url": pip_extra_index_url} if pip_extra_index_url else {}
        return StageSettings.model_validate({**index, **stages[stage], "stage": stage})
    except ValidationError as error:
        lines = [f"cdk.json, stages.{stage}:", *map(_line, error.errors())]
        raise InvalidSettings("\n  ".join(lines)) from None


def find_settings(stage: str, environment: Mapping[str, str]) -> StageSettings:
    """Return the settings of a stage of cdk.json, completed from environment variables.

    Raises:
        InvalidSettings: See `stage_settings`.
    """
    context = read_context()
    index = environment.get("TORCH_CPU_INDEX") or context.get("pip_extra_index_url")
    return stage_settings(context["stages"], stage, pip_extra_index_url=index)


def _line(error: Any) -> str:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known = ", ".join(sorted(set(StageSettings.model_fields) - {"stage"}))
        return f"{name}: there is no such setting; there are: {known}"
    if not name:
        return str(error["ctx"]["error"])
    return f"{name} is {json.dumps(error['input'])}: {error['msg']}"
