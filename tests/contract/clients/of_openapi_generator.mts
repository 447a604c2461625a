// What a user of openapi-generator (typescript-fetch) writes: upload, paint by JSON, wait, download.
import { readFileSync } from "node:fs";
import { Configuration, StylizationsApi, UploadsApi } from "./client/index.ts";

const [base, path] = process.argv.slice(2);
const configuration = new Configuration({ basePath: base, apiKey: "key" });
const upload = await new UploadsApi(configuration).createUpload({ uploadRequest: { mediaType: "image/jpeg" } });
const form = new FormData();
for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
form.append("file", new Blob([readFileSync(path)]));
await fetch(new URL(upload.url, base), { method: "POST", body: form });
const api = new StylizationsApi(configuration);
const stylizationRequest = { content: upload.id, style: "woodcut", size: 64 };
let job = await api.createStylization({ stylizationRequest, prefer: "wait=1", idempotencyKey: "generator-typescript" });
while (job.status === "queued" || job.status === "running") {
  await new Promise((resolve) => setTimeout(resolve, 300));
  job = await api.getStylization({ id: job.id });
}
const image = await api.getStylizationImage({ id: job.id });
console.log(job.status, image.size === job.result?.bytes ? "True" : "False");
