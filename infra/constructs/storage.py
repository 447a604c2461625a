"""Where files lie: what callers send in one bucket, everything else in another."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.common import removal
from infra.settings import StageSettings

UPLOADS = "uploads/"
JOBS = "jobs/"
STYLES = "styles/"
ANSWERS = "sagemaker/"
"""The folders: what callers send; what belongs to jobs; styles of callers; what SageMaker says of its invocations."""


class Storage(Construct):
    """Two buckets, and one that their access logs go to. All of them take HTTPS only and show nothing to the public.

    They are encrypted with S3's own keys: a key of the account's would cost money for each picture, and who may read is
    said by roles anyway. The API's sweep deletes what is over; the rules here catch what a sweep could not.

    Attributes:
        uploads: What callers send. Everything in it is over after some days.
        results: Jobs, and styles of callers; the latter stay.
    """

    def __init__(self, scope: Construct, id: str, *, settings: StageSettings):  # noqa: A002
        super().__init__(scope, id)
        self._settings = settings
        self._logs = self._make("AccessLogs", lifecycle=[_expire("", settings.log_days)])
        self.uploads = self._make_logged("Uploads", lifecycle=[_expire(UPLOADS, settings.upload_days + 1)])
        self.results = self._make_logged(
            "Results",
            # A job may wait as long as its files are kept afterwards; one day more is the sweep's.
            lifecycle=[_expire(JOBS, 2 * settings.result_days + 1), _expire(ANSWERS, 1), *self._old_versions()],
            versioned=settings.is_kept,
        )

    def admit(self, page: Sequence[str], others: Sequence[str]) -> None:
        """Let browsers send files to the one bucket and read from the other.

        Args:
            page: Origins of the service's own page.
            others: Origins that the stage allows besides.
        """
        self.uploads.add_cors_rule(
            allowed_methods=[s3.HttpMethods.POST],
            allowed_origins=[*page, *(origin for origin in others if origin not in page)],
            allowed_headers=["*"],
            max_age=3600,
        )
        # A page of another origin that follows a redirect of the API's comes here as from nowhere ("Origin: null"), and
        # with the headers that it sent to the API. What lets anybody read is the signature of the link.
        self.results.add_cors_rule(
            allowed_methods=[s3.HttpMethods.GET],
            allowed_origins=["*"] if others else list(page),
            allowed_headers=["*"],
            max_age=3600,
        )

    def _make_logged(self, id: str, *, lifecycle: Sequence[s3.LifecycleRule], versioned: bool = False) -> s3.Bucket:  # noqa: A002
        return self._make(id, lifecycle=lifecycle, versioned=versioned, logged=True)

    def _make(
        self,
        id: str,  # noqa: A002
        *,
        lifecycle: Sequence[s3.LifecycleRule],
        versioned: bool = False,
        logged: bool = False,
    ) -> s3.Bucket:
        return s3.Bucket(
            self,
            id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=versioned,
            lifecycle_rules=[*lifecycle, s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1))],
            server_access_logs_bucket=self._logs if logged else None,
            server_access_logs_prefix=f"{id.lower()}/" if logged else None,
            removal_policy=removal(self._settings),
            auto_delete_objects=not self._settings.is_kept,
        )

    def _old_versions(self) -> list[s3.LifecycleRule]:
        """What is deleted can be had back for a while where data is kept: styles; of jobs nothing is to linger."""
        if not self._settings.is_kept:
            return []
        return [
            s3.LifecycleRule(prefix=JOBS, noncurrent_version_expiration=Duration.days(1)),
            s3.LifecycleRule(prefix=ANSWERS, noncurrent_version_expiration=Duration.days(1)),
            s3.LifecycleRule(prefix=STYLES, noncurrent_version_expiration=Duration.days(30)),
            s3.LifecycleRule(expired_object_delete_marker=True),
        ]


def _expire(folder: str, days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(prefix=folder or None, expiration=Duration.days(days))
