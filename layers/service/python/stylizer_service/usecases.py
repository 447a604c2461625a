"""Use cases: what a caller can do, as plain functions of an owner and a request. Independent of HTTP and AWS.

A new job gets files of its own: those that came with the request, and copies of uploads (a hard link or a server-side
copy, so nearly free). What was validated is what gets painted, whatever happens to the upload later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from stylizer import capabilities, styles
from stylizer.options import ORIGINAL
from stylizer_service import cursors, presenters
from stylizer_service.clip_jobs import check_picture_format, clip_job
from stylizer_service.files import SentFile, suffix
from stylizer_service.idempotency import check_same_request, new_record
from stylizer_service.inputs import Inputs, shape_of, upload_key
from stylizer_service.jobs.cleanup import discard
from stylizer_service.jobs.erasure import erase_job, erase_style, erase_upload
from stylizer_service.jobs.finish import end
from stylizer_service.jobs.retention import sweep
from stylizer_service.models import STYLE_ID, Backend, MediaType, Status, StylizationRequest, new_id
from stylizer_service.outbound.addresses import check_address
from stylizer_service.ports import Ports
from stylizer_service.probe import Probe, ProbedClip
from stylizer_service.problems import ProblemError, as_problems, expired, failure, invalid, not_found, problem
from stylizer_service.records import (
    IdempotencyRecord,
    Job,
    Precondition,
    StyleRecord,
    UploadRecord,
    is_final,
)
from stylizer_service.resources import Page, Style, Stylization, Upload
from stylizer_service.routing import Capacity, select_backend, size_to_route
from stylizer_service.settings import Settings
from stylizer_service.webhooks.delivery import check_webhook, webhook_secret


class Service:
    """The use cases over one set of adapters. Thread-safe.

    Each method takes the owner and sees only that owner's resources; all others are `not-found`. All raise
    `ProblemError`.
    """

    def __init__(self, ports: Ports, catalog: Mapping[str, styles.Style], settings: Settings):
        self.ports = ports
        self.catalog = catalog
        self.settings = settings
        self._inputs = Inputs(ports, catalog, Probe(settings))

    # Uploads

    def create_upload(self, owner: str, media_type: MediaType) -> Upload:
        """Register an upload and return the form for sending the file."""
        self.ports.intake.upload(owner)
        now = self.ports.clock.now()
        record = UploadRecord(
            id=new_id("upl"),
            owner=owner,
            media_type=media_type,
            created_at=now,
            expires_at=now + self.settings.upload_ttl,
        )
        self.ports.uploads.put(record)
        max_bytes = self.settings.max_bytes_of(media_type)
        form_expires_at = now + self.settings.url_ttl
        form = self.ports.blobs.upload_form(
            upload_key(record.id),
            media_type=media_type,
            max_bytes=max_bytes,
            expires_at=form_expires_at,
        )
        return Upload(
            id=record.id,
            media_type=media_type,
            url=form.url,
            fields=form.fields,
            max_bytes=max_bytes,
            expires_at=form_expires_at,
        )

    def delete_upload(self, owner: str, upload_id: str) -> None:
        """Delete an upload; jobs and styles made from it are kept."""
        record = self.ports.uploads.get(upload_id)
        if record is None or record.owner != owner:
            raise not_found("upload", upload_id)
        erase_upload(self.ports, upload_id)

    # Styles

    def create_style(self, owner: str, upload_id: str, title: str) -> Style:
        """Create a style of the caller's own from an upload."""
        self.ports.intake.style(owner)
        style_id = new_id("sty")
        folder = f"styles/{style_id}/"
        try:
            draft = f"{folder}draft/file"
            image = self._inputs.take_upload(owner, upload_id, draft, field="upload")
            # The format is known only now, and links serve a file with the type implied by its suffix.
            key = f"{folder}image.{suffix(image.media_type.removeprefix('image/'))}"
            self.ports.blobs.copy(draft, key)
            self.ports.blobs.delete_folder(f"{folder}draft/")
        except BaseException:
            discard(self.ports, folder)
            raise
        record = StyleRecord(id=style_id, owner=owner, title=title, created_at=self.ports.clock.now(), key=key)
        self.ports.styles.put(record)  # on failure keep the image: the write may have succeeded
        return presenters.own_style(record)

    def list_styles(self, owner: str, *, limit: int = 50, cursor: str | None = None) -> Page[Style]:
        """Return a page of the built-in styles in catalog order, followed by the caller's own, newest first."""
        cursors.check_limit(limit)
        kind, place = _style_place(cursor)
        items: list[Style] = []
        if kind == "built-in":
            rest = self._built_in_after(place)
            items = [presenters.builtin_style(style) for style in rest[:limit]]
            if len(rest) > limit:
                return Page(items=items, next_cursor=cursors.encode("built-in", items[-1].id))
            place = ""
        remaining = limit - len(items)
        if remaining == 0:
            more, _ = self.ports.styles.page(owner, limit=1, cursor=None)
            return Page(items=items, next_cursor=cursors.encode("own", "") if more else None)
        own, following = cursors.read_page(lambda: self.ports.styles.page(owner, limit=remaining, cursor=place or None))
        items += [presenters.own_style(record) for record in own]
        return Page(items=items, next_cursor=cursors.encode("own", following) if following else None)

    def _built_in_after(self, place: str) -> list[styles.Style]:
        """Return the built-in styles after the given id, or all of them if it is empty."""
        names = list(self.catalog)
        if place and place not in self.catalog:  # a cursor of another list, or of a version with other styles
            raise cursors.refused()
        first = names.index(place) + 1 if place else 0
        return [self.catalog[name] for name in names[first:]]

    def get_style(self, owner: str, style_id: str) -> Style:
        """Return a style, built-in or the caller's own."""
        builtin = self.catalog.get(style_id)
        return presenters.builtin_style(builtin) if builtin else presenters.own_style(self._own_style(owner, style_id))

    def style_image(self, owner: str, style_id: str) -> Path | str:
        """Return the image of a style: the file of a built-in one, or a signed link to the caller's own."""
        builtin = self.catalog.get(style_id)
        if builtin:
            return builtin.swatch
        record = self._own_style(owner, style_id)
        return self._url(record.key, filename=record.id)

    def delete_style(self, owner: str, style_id: str) -> None:
        """Delete a style of the caller's own."""
        if style_id in self.catalog:
            raise failure("conflict", f"{style_id} is a built-in style", allowed="a style of your own")
        erase_style(self.ports, self._own_style(owner, style_id))

    def _own_style(self, owner: str, style_id: str) -> StyleRecord:
        record = self.ports.styles.get(style_id) if STYLE_ID.fullmatch(style_id) else None
        if record is None or record.owner != owner:
            raise not_found("style", style_id)
        return record

    # Stylizations

    def create_stylization(
        self,
        owner: str,
        request: StylizationRequest,
        idempotency_key: str | None = None,
        *,
        files: Sequence[SentFile] = (),
    ) -> tuple[Stylization, bool]:
        """Create a job, once per idempotency key.

        Args:
            owner: The caller.
            request: The request.
            idempotency_key: The caller's key, if any.
            files: The files that came with the request, which names them by `SentFile.name`.

        Returns:
            The stylization, and whether it is new: False if the key had already been used for the same request.
        """
        now = self.ports.clock.now()
        job = self._new_job(owner, request, now)
        key = None
        if idempotency_key is not None:
            key = new_record(idempotency_key, request, job, self.settings.key_ttl)
            known = self.ports.jobs.find_key(owner, idempotency_key, now)
            if known:
                return self._replay(known, request), False
        # Only after the key lookup: an accepted request is replayed even if limits have changed since.
        _validate_for_method(request)
        check_webhook(self.ports, request.webhook)
        self._check_urls(request)
        if request.size != ORIGINAL or request.content is None:
            job = replace(job, backend=self._select_backend(request))
        self._check_queue()
        self.ports.intake.job(job)
        try:
            content = self._inputs.take_for_job(request, job, {file.name: file for file in files})
            shape = shape_of(content)
            if shape and request.size == ORIGINAL:
                _validate_for_method(request, shape)
            if isinstance(content, ProbedClip) or (content is None and request.wants_clip):
                job = clip_job(job, request, content.info if content else None, self.settings)
                self.ports.intake.job(job)
            elif shape and request.size == ORIGINAL:
                job = replace(job, backend=self._select_backend(request, shape))
        except BaseException:
            discard(self.ports, job.folder)
            raise
        # On failure keep the files: the write may have succeeded. Orphans are removed later.
        known = self.ports.jobs.create(job, key, now)
        if known:
            discard(self.ports, job.folder)
            return self._replay(known, request), False
        self.ports.dispatcher.send(job)
        return self._view(job), True

    def _select_backend(self, request: StylizationRequest, photo_size: tuple[int, int] | None = None) -> Backend:
        size, description = size_to_route(request, photo_size)
        return select_backend(
            request.method,
            size,
            request.quality,
            Capacity.of(self.settings),
            features=request.features,
            variants=request.variants,
            regions=request.region_count,
            size_description=description,
        )

    def get_stylization(self, owner: str, job_id: str) -> Stylization:
        """Return a stylization."""
        return self._view(self._job(owner, job_id))

    def list_stylizations(
        self, owner: str, *, limit: int = 20, cursor: str | None = None, status: Status | None = None
    ) -> Page[Stylization]:
        """Return a page of the caller's stylizations, newest first."""
        cursors.check_limit(limit)
        jobs, following = cursors.read_page(
            lambda: self.ports.jobs.page(owner, limit=limit, cursor=cursor, status=status)
        )
        return Page(items=[self._view(job) for job in jobs], next_cursor=following)

    def cancel_stylization(self, owner: str, job_id: str) -> Stylization:
        """Cancel an unfinished stylization. Canceling twice is allowed; a finished one is a `conflict`."""
        job = self._job(owner, job_id)
        canceled = end(self.ports, self.settings, job, Precondition(statuses=("queued", "running")), "canceled")
        current = canceled or self._job(owner, job_id)
        if current.status != "canceled":
            raise failure(
                "conflict",
                f"the stylization has already ended: it is {current.status}",
                allowed="a stylization that is queued or running",
            )
        return self._view(current)

    def delete_stylization(self, owner: str, job_id: str) -> Stylization:
        """Delete the files of a stylization now, canceling it if unfinished. Idempotent."""
        erase_job(self.ports, self.settings, self._job(owner, job_id))
        return self.get_stylization(owner, job_id)

    def image_url(self, owner: str, job_id: str, variant: int | None = None) -> str:
        """Return a fresh signed link to the painting, or to a variant as soon as that one is painted."""
        job = self._job(owner, job_id)
        if self._is_expired(job):
            raise expired("stylization", job_id)
        result = job.result if variant is None else presenters.variant_of(job, variant)
        if result is None:
            none = problem(
                "conflict",
                f"the stylization is {job.status}: there is no image",
                allowed="a stylization that has succeeded",
            )
            raise ProblemError(none, retry_after=_soon(job))
        return self._url(result.key, filename=presenters.file_name(job, variant or 1))

    def preview_url(self, owner: str, job_id: str, variant: int | None = None) -> str:
        """Return a signed link to the latest preview, or to that of a finished variant."""
        job = self._job(owner, job_id)
        if self._is_expired(job):
            raise expired("stylization", job_id)
        preview_key = job.preview_key
        if variant is not None:
            result = presenters.variant_of(job, variant)
            preview_key = (result.preview_key or job.preview_key) if result else None
        if preview_key is None:
            none = problem("not-found", "there is no preview: nothing has been painted yet")
            raise ProblemError(none, retry_after=_soon(job))
        return self._url(preview_key, filename=f"{job.id}-preview.jpg")

    def webhook_secret(self, owner: str) -> str:
        """Return the owner's secret for verifying webhooks."""
        return webhook_secret(self.ports, owner)

    def queue_depth(self) -> int:
        """Return the approximate number of waiting jobs."""
        return self.ports.dispatcher.depth()

    def sweep(self) -> int:
        """Delete everything expired; returns the number of records changed or deleted."""
        return sweep(self.ports, record_ttl=self.settings.record_ttl)

    # Helpers

    def _new_job(self, owner: str, request: StylizationRequest, now: datetime) -> Job:
        return Job(
            id=new_id("stz"),
            owner=owner,
            status="queued",
            method=request.method,
            options=request.options.model_copy(update={"animate": False}),
            content=request.photo,
            styles=tuple(request.blend),
            mask=request.mask,
            content_mask=request.content_mask,
            variants=request.variants,
            webhook=request.webhook,
            created_at=now,
            expires_at=now + self.settings.result_ttl,
        )

    def _replay(self, known: IdempotencyRecord, request: StylizationRequest) -> Stylization:
        check_same_request(known, request)
        job = self._job(known.owner, known.job_id)
        if job.status == "queued" and self.ports.dispatcher.trace(job) != "no-backend":
            # The process that stored the job may have died before sending it; sending twice is harmless.
            self.ports.dispatcher.send(job)
        return self._view(job)

    def _check_urls(self, request: StylizationRequest) -> None:
        for field, url in request.urls.items():
            if not self.settings.url_inputs:
                allowed = field.replace("content_url", "an upload, as content").replace(
                    "style_url", "a style, as style"
                )
                raise invalid(field, f"{field} is a URL, and this service does not fetch pictures", allowed)
            check_address(url, field)

    def _check_queue(self) -> None:
        if self.ports.dispatcher.depth() >= self.settings.queue_limit:
            raise failure(
                "queue-full",
                "too many stylizations are queued; try again later",
                allowed=f"at most {self.settings.queue_limit} queued",
            )

    def _job(self, owner: str, job_id: str) -> Job:
        job = self.ports.jobs.get(job_id)
        if job is None or job.owner != owner:
            raise not_found("stylization", job_id)
        return job

    def _is_expired(self, job: Job) -> bool:
        return presenters.is_expired(job, self.ports.clock.now())

    def _view(self, job: Job) -> Stylization:
        return presenters.present(self.ports, self.settings, job)

    def _url(self, key: str, *, filename: str) -> str:
        return presenters.link(self.ports, self.settings, key, filename=filename)


def _validate_for_method(request: StylizationRequest, photo_size: tuple[int, int] | None = None) -> None:
    check_picture_format(request)
    with as_problems():
        capabilities.validate(
            request.method,
            size=request.size,
            style_scale=request.style_scale,
            preserve_color=request.preserve_color,
            features=request.features,
            has_content_mask=request.content_mask is not None,
            photo_size=photo_size,
        )


def _style_place(cursor: str | None) -> tuple[str, str]:
    if cursor is None:
        return "built-in", ""
    kind, place = cursors.read_page(lambda: cursors.decode(cursor, 2))
    if kind not in ("built-in", "own"):
        raise cursors.refused()
    return kind, place


def _soon(job: Job) -> int | None:
    """Return the Retry-After in seconds for something an unfinished job does not have yet; None for a final job."""
    return None if is_final(job) else 1
