"""Inputs of a job: validated files in its own folder, whatever the request named."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from stylizer.capabilities import long_side, validate_output_pixels
from stylizer_service.files import SentFile
from stylizer_service.models import STYLE_ID, UPLOAD_ID, StylizationRequest, is_url, style_mask_field
from stylizer_service.ports import Ports
from stylizer_service.probe import Probe, ProbedClip, ProbedImage
from stylizer_service.problems import as_problems, expired, failure, not_found
from stylizer_service.records import Job, style_mask_key


def upload_folder(upload_id: str) -> str:
    """Return the prefix of all files of an upload."""
    return f"uploads/{upload_id}/"


def upload_key(upload_id: str) -> str:
    """Return the key of an upload's file."""
    return f"{upload_folder(upload_id)}file"


class Inputs:
    """Brings the inputs of a request into the job's folder, each validated once.

    An input is a file that came with the request, an upload, a custom style, or built in. A file of the request is
    validated and then stored. An upload is copied first and validated afterward, because it can be replaced while its
    form is valid, and the copy cannot.
    """

    def __init__(self, ports: Ports, catalog: Collection[str], probe: Probe):
        self._ports = ports
        self._catalog = catalog
        self._probe = probe

    def take_for_job(
        self, request: StylizationRequest, job: Job, sent: Mapping[str, SentFile]
    ) -> ProbedImage | ProbedClip | None:
        """Validate every input of a request and store it in the job's folder.

        Args:
            request: The request.
            job: The job, not stored yet.
            sent: The files that came with the request, by name.

        Returns:
            What is painted; None if the painter fetches it.
        """
        # None if it is fetched from its URL, and checked, by the painter.
        content = self._take_content(request, job, sent) if request.content is not None else None
        shape = shape_of(content)
        if shape and isinstance(content, ProbedImage):
            with as_problems():
                validate_output_pixels(long_side(request.size, shape), shape, self._probe.max_pixels)
        masks = [(name, getattr(request, name), name) for name in ("mask", "content_mask")]
        masks += [(style_mask_key(index), mask, style_mask_field(index)) for index, mask in request.style_masks()]
        for name, source, field in masks:
            if source is not None:
                mask = self._take(source, job, name, field=field, sent=sent)
                if shape is not None:
                    _check_shape(field, mask, shape)
        for index, entry in enumerate(request.blend):
            self._take_style(entry.style, job, f"style-{index}", field=request.style_field(index), sent=sent)
        return content

    def take_upload(self, owner: str, upload_id: str, key: str, *, field: str) -> ProbedImage:
        """Copy the file of an upload to `key` and validate it."""
        return self._probe.check(self._copy_upload(owner, upload_id, key, field=field), field=field)

    def _copy_upload(self, owner: str, upload_id: str, key: str, *, field: str) -> bytes:
        """Copy the file of an upload to `key`, and return the copy's content."""
        record = self._ports.uploads.get(upload_id)
        if record is None or record.owner != owner:
            raise not_found("upload", upload_id, field=field)
        if record.expires_at <= self._ports.clock.now():
            raise expired("upload", upload_id, field=field)
        try:
            self._ports.blobs.copy(upload_key(upload_id), key)
        except FileNotFoundError:
            raise failure(
                "upload-incomplete",
                f"no file has been sent for the upload {upload_id!r} yet",
                field=field,
                allowed="an upload whose form has been sent",
            ) from None
        with self._ports.blobs.open(key) as file:
            return self._probe.read(file, field=field)

    def _take_content(
        self, request: StylizationRequest, job: Job, sent: Mapping[str, SentFile]
    ) -> ProbedImage | ProbedClip:
        key = job.input_key("content")
        file = sent.get(request.content or "")
        if file is None:
            copy = self._copy_upload(job.owner, request.content or "", key, field="content")
            return self._probe.check_content(copy, animate=request.wants_clip, size=request.size)
        data = self._probe.read(file.file, field="content")
        content = self._probe.check_content(data, animate=request.wants_clip, size=request.size)
        self._store(data, key, content.media_type)
        return content

    def _take(self, source: str, job: Job, name: str, *, field: str, sent: Mapping[str, SentFile]) -> ProbedImage:
        """Store the picture that `source` names as the job's input `name`."""
        key = job.input_key(name)
        if source in sent:
            return self._take_sent(sent[source], key, field=field)
        return self.take_upload(job.owner, source, key, field=field)

    def _take_sent(self, file: SentFile, key: str, *, field: str) -> ProbedImage:
        data = self._probe.read(file.file, field=field)
        image = self._probe.check(data, field=field)
        self._store(data, key, image.media_type)
        return image

    def _store(self, data: bytes, key: str, media_type: str) -> None:
        with self._ports.intake.file(len(data)):
            self._ports.blobs.put(key, data, media_type)

    def _take_style(self, source: str, job: Job, name: str, *, field: str, sent: Mapping[str, SentFile]) -> None:
        if source in self._catalog or is_url(source):
            return  # Built into the painter, or fetched by it.
        if source in sent or UPLOAD_ID.fullmatch(source):
            self._take(source, job, name, field=field, sent=sent)
            return
        own = self._ports.styles.get(source) if STYLE_ID.fullmatch(source) else None
        if own is None or own.owner != job.owner:
            raise failure(
                "unknown-style",
                f"there is no style {source!r}; give the id of a built-in one, of your own, or of an upload",
                field=field,
                allowed=list(self._catalog),
            )
        self._ports.blobs.copy(own.key, job.input_key(name))


def shape_of(content: ProbedImage | ProbedClip | None) -> tuple[int, int] | None:
    """Return (width, height), or None of what only the painters can read."""
    found = content.info if isinstance(content, ProbedClip) else content
    return (found.width, found.height) if found else None


def _check_shape(field: str, mask: ProbedImage, content: tuple[int, int]) -> None:
    if (mask.width, mask.height) != content:
        shape = f"{content[0]} x {content[1]}"
        raise failure(
            "mask-mismatch",
            f"{field} is {mask.width} x {mask.height} pixels, the photo is {shape}",
            field=field,
            allowed=f"a picture of {shape} pixels",
        )
