"""Resolution of the names in a request to validated files owned by the job."""

from __future__ import annotations

import hashlib
import json

from stylizer.capabilities import validate_output_pixels
from stylizer_service.catalog import Catalog
from stylizer_service.models import STYLE_ID, UPLOAD_ID, StylizationRequest, style_mask_field
from stylizer_service.ports import Ports
from stylizer_service.probe import Probe, ProbedImage
from stylizer_service.problems import as_problems, expired, failure, not_found
from stylizer_service.records import Job, UploadRecord, style_mask_key


def upload_folder(upload_id: str) -> str:
    """Return the prefix of all files of an upload."""
    return f"uploads/{upload_id}/"


def upload_key(upload_id: str) -> str:
    """Return the key of an upload's file."""
    return f"{upload_folder(upload_id)}file"


class Inputs:
    """Resolves the inputs of a request and copies them into the job's folder.

    Files are copied first and validated afterward: an upload can be replaced while its form is valid, a copy cannot.
    """

    def __init__(self, ports: Ports, catalog: Catalog, probe: Probe):
        self._ports = ports
        self._catalog = catalog
        self._probe = probe

    def take_for_job(self, owner: str, request: StylizationRequest, job: Job) -> None:
        """Copy and validate every input of a request into the job's folder."""
        content = self.take_upload(owner, request.content, job.input_key("content"), field="content")
        with as_problems():
            validate_output_pixels(request.size, (content.width, content.height), self._probe.max_pixels)
        masks = [(name, getattr(request, name), name) for name in ("mask", "content_mask")]
        masks += [(style_mask_key(index), mask, style_mask_field(index)) for index, mask in request.style_masks()]
        for name, upload_id, field in masks:
            if upload_id is not None:
                mask = self.take_upload(owner, upload_id, job.input_key(name), field=field)
                _check_shape(field, mask, content)
        for index, entry in enumerate(request.blend):
            self._take_style(owner, entry.style, job.input_key(f"style-{index}"), request.style_field(index))

    def take_upload(self, owner: str, upload_id: str, key: str, *, field: str) -> ProbedImage:
        """Copy the file of an upload to `key` and validate it."""
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
            return self._probe.check(file, field=field)

    def _take_style(self, owner: str, name: str, key: str, field: str) -> None:
        if name in self._catalog:
            return  # Built into the painter.
        if UPLOAD_ID.fullmatch(name):
            self.take_upload(owner, name, key, field=field)
            return
        own = self._ports.styles.get(name) if STYLE_ID.fullmatch(name) else None
        if own is None or own.owner != owner:
            raise failure(
                "unknown-style",
                f"there is no style {name!r}; give the id of a built-in one, of your own, or of an upload",
                field=field,
                allowed=list(self._catalog),
            )
        self._ports.blobs.copy(own.key, key)

    def fingerprint(self, owner: str, request: StylizationRequest) -> str:
        """Return a hash of the request: all values, including defaults, and the content of files sent directly.

        Options that are None are left out, so that a new optional field does not change existing fingerprints.
        """
        facts = request.options.model_dump(exclude_none=True) | {
            "method": request.method,
            "content": self._stand_in(owner, request.content),
            "mask": self._stand_in(owner, request.mask),
            "content_mask": self._stand_in(owner, request.content_mask),
            "styles": [[self._stand_in(owner, entry.style), entry.weight] for entry in request.blend],
        }
        if masks := request.style_masks():
            facts["style_masks"] = [[index, self._stand_in(owner, mask)] for index, mask in masks]
        if request.variants != 1:
            facts["variants"] = request.variants
        if request.webhook is not None:
            facts["webhook"] = request.webhook
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _stand_in(self, owner: str, name: str | None) -> str | None:
        # A file sent with the request gets a new id each time; its content hash is stable.
        record: UploadRecord | None = None
        if name is not None and UPLOAD_ID.fullmatch(name):
            record = self._ports.uploads.get(name)
        if record is None or record.owner != owner or record.sha256 is None:
            return name
        return f"sha256:{record.sha256}"


def _check_shape(field: str, mask: ProbedImage, content: ProbedImage) -> None:
    if (mask.width, mask.height) != (content.width, content.height):
        shape = f"{content.width} x {content.height}"
        raise failure(
            "mask-mismatch",
            f"{field} is {mask.width} x {mask.height} pixels, the photo is {shape}",
            field=field,
            allowed=f"a picture of {shape} pixels",
        )
