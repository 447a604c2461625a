"""Buckets: uploads of callers in one, everything else in another."""

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
SAGEMAKER_OUTPUT = "sagemaker/"
"""Key prefixes: uploads; files of jobs; styles of callers; output of SageMaker invocations."""


class Storage(Construct):
    """Two buckets and one for their access logs; all are private and HTTPS only.

    They use S3 managed keys: a customer managed key costs per request and excludes no one whom IAM admits. The service
    deletes what has expired; the lifecycle rules catch what it missed.

    Attributes:
        uploads: Uploads of callers; everything expires after some days.
        results: Files of jobs, and styles of callers, which do not expire.
    """

    def __init__(self, scope: Construct, id: str, *, settings: StageSettings):  # noqa: A002
        super().__init__(scope, id)
        self._settings = settings
        self._logs = self._make("AccessLogs", lifecycle=[_expire("", settings.log_days)])
        self.uploads = self._make_logged("Uploads", lifecycle=[_expire(UPLOADS, settings.upload_days + 1)])
        self.results = self._make_logged(
            "Results",
            # A job may be queued as long as its results are kept; one more day is for the service's own deletion.
            lifecycle=[
                _expire(JOBS, 2 * settings.result_days + 1),
                _expire(SAGEMAKER_OUTPUT, 1),
                *self._noncurrent_version_rules(),
            ],
            versioned=settings.retain_data,
        )

    def allow_cors(self, page: Sequence[str], others: Sequence[str]) -> None:
        """Add CORS rules: browsers post to the uploads bucket and read from the results bucket.

        Args:
            page: Origins that serve the page.
            others: Further allowed origins.
        """
        self.uploads.add_cors_rule(
            allowed_methods=[s3.HttpMethods.POST],
            allowed_origins=[*page, *(origin for origin in others if origin not in page)],
            allowed_headers=["*"],
            max_age=3600,
        )
        # After a redirect from the API, browsers send "Origin: null" and the headers of the original request. Access is
        # granted by the signature of the link.
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
            auto_delete_objects=not self._settings.retain_data,
        )

    def _noncurrent_version_rules(self) -> list[s3.LifecycleRule]:
        """Return rules that keep deleted styles for 30 days and deleted job files for one, in a versioned bucket."""
        if not self._settings.retain_data:
            return []
        return [
            s3.LifecycleRule(prefix=JOBS, noncurrent_version_expiration=Duration.days(1)),
            s3.LifecycleRule(prefix=SAGEMAKER_OUTPUT, noncurrent_version_expiration=Duration.days(1)),
            s3.LifecycleRule(prefix=STYLES, noncurrent_version_expiration=Duration.days(30)),
            s3.LifecycleRule(expired_object_delete_marker=True),
        ]


def _expire(folder: str, days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(prefix=folder or None, expiration=Duration.days(days))
