"""What a user of openapi-generator (python) writes: upload, paint by JSON, wait, download."""

# mypy: ignore-errors
import sys
import time

import httpx
import openapi_client

base, path = sys.argv[1:]
photo = open(path, "rb").read()
with openapi_client.ApiClient(openapi_client.Configuration(host=base, api_key={"ApiKey": "key"})) as client:
    request = openapi_client.UploadRequest(media_type="image/jpeg")
    upload = openapi_client.UploadsApi(client).create_upload(request)
    httpx.post(httpx.URL(base).join(upload.url), data=upload.fields, files={"file": photo}).raise_for_status()
    api = openapi_client.StylizationsApi(client)
    request = openapi_client.StylizationRequest(content=upload.id, style="woodcut", size=64)
    job = api.create_stylization(request, prefer="wait=1", idempotency_key="generator-python")
    while job.status in ("queued", "running"):
        time.sleep(0.3)
        job = api.get_stylization(job.id)
    print(job.status, job.result.bytes == len(api.get_stylization_image(job.id)))
