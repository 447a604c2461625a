"""What a user of openapi-generator (python) writes who left the form alone in the contract."""

# mypy: ignore-errors
import sys
import time

import openapi_client

base, path = sys.argv[1:]
photo = open(path, "rb").read()
with openapi_client.ApiClient(openapi_client.Configuration(host=base, api_key={"ApiKey": "key"})) as client:
    api = openapi_client.StylizationsApi(client)
    job = api.create_stylization(("p.jpg", photo), style="woodcut", size=64)
    while job.status in ("queued", "running"):
        time.sleep(0.3)
        job = api.get_stylization(job.id)
    print(job.status, job.result.bytes == len(api.get_stylization_image(job.id)))
