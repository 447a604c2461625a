// What a user of openapi-typescript and openapi-fetch writes: upload, paint by JSON and by form, wait, download.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

const [base, path] = process.argv.slice(2);
const photo = new Blob([readFileSync(path)]);
const client = createClient<paths>({ baseUrl: base, headers: { "X-Api-Key": "key" } });

function formOf(fields: Record<string, unknown>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value instanceof Blob ? value : String(value));
  return form;
}

async function finish(job: components["schemas"]["Stylization"] | undefined): Promise<void> {
  while (job && (job.status === "queued" || job.status === "running")) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    job = (await client.GET("/v1/stylizations/{id}", { params: { path: { id: job.id } } })).data;
  }
  if (!job) throw new Error("no job");
  const params = { path: { id: job.id } };
  const { data } = await client.GET("/v1/stylizations/{id}/image", { params, parseAs: "arrayBuffer" });
  console.log(job.status, (data as ArrayBuffer).byteLength === job.result?.bytes ? "True" : "False");
}

const { data: upload } = await client.POST("/v1/uploads", { body: { media_type: "image/jpeg" } });
if (!upload) throw new Error("no upload");
await fetch(new URL(upload.url, base), { method: "POST", body: formOf({ ...upload.fields, file: photo }) });
const params = { header: { Prefer: "wait=1", "Idempotency-Key": "openapi-fetch" } };
const body = { content: upload.id, style: "woodcut", size: 64 };
await finish((await client.POST("/v1/stylizations", { body, params })).data);
const bodySerializer = (fields: object): FormData => formOf({ ...fields, content: photo });
await finish((await client.POST("/v1/stylizations", { body: { ...body, content: "" }, bodySerializer })).data);
