"""What a user of openapi-python-client writes: upload, paint by JSON and by form, wait, download."""

# mypy: ignore-errors
import io
import sys
import time

import httpx
from image_stylizer_client import AuthenticatedClient
from image_stylizer_client.api.stylizations import create_stylization, get_stylization, get_stylization_image
from image_stylizer_client.api.uploads import create_upload
from image_stylizer_client.models import (
    CreateStylizationFilesBody,
    StylizationRequest,
    UploadRequest,
    UploadRequestMediaType,
)
from image_stylizer_client.types import File

base, path = sys.argv[1:]
photo = open(path, "rb").read()
client = AuthenticatedClient(base, "key", auth_header_name="X-Api-Key", prefix="", follow_redirects=True)
upload = create_upload.sync(client=client, body=UploadRequest(media_type=UploadRequestMediaType.IMAGEJPEG))
sent = httpx.post(httpx.URL(base).join(upload.url), data=upload.fields.to_dict(), files={"file": photo})
sent.raise_for_status()
by_json = StylizationRequest(content=upload.id, style="woodcut", size=64)
by_form = CreateStylizationFilesBody(content=File(io.BytesIO(photo), "p.jpg", "image/jpeg"), style="woodcut", size=64)
for number, body in enumerate((by_json, by_form)):
    job = create_stylization.sync(client=client, body=body, prefer="wait=1", idempotency_key=f"key-{number}")
    while job.status in ("queued", "running"):
        time.sleep(0.3)
        job = get_stylization.sync(job.id, client=client)
    image = get_stylization_image.sync_detailed(job.id, client=client).content
    print(job.status, job.result.bytes_ == len(image))
