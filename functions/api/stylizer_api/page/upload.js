// Uploads, directly to the store by a signed form.

import { ApiError, post, url } from "./api.js";

// Browsers leave the type of unknown formats empty.
const TYPES = { heic: "image/heic", heif: "image/heif", avif: "image/avif", tif: "image/tiff", tiff: "image/tiff" };
const typeOf = (file) => file.type || TYPES[file.name.split(".").pop().toLowerCase()] || "image/jpeg";

/** Upload a file, and return the upload id. Errors name `field`; `onProgress` receives 0 to 1. */
export async function upload(file, { field, onProgress, signal }) {
  try {
    if (file.size === 0) throw new ApiError({ detail: `“${file.name}” is empty.` });
    const form = await post("v1/uploads", { media_type: typeOf(file) }, { signal });
    if (file.size > form.max_bytes) {
      const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
      throw new ApiError({
        detail: `“${file.name}” is ${megabytes(file.size)}; the limit is ${megabytes(form.max_bytes)}.`,
      });
    }
    const data = new FormData();
    for (const [name, value] of Object.entries(form.fields)) data.append(name, value);
    data.append("file", file);
    await send(url(form.url), data, onProgress, signal);
    return form.id;
  } catch (error) {
    if (error instanceof ApiError && !error.offline) throw new ApiError(withField(error.problem, field, file));
    throw error;
  }
}

function withField(problem, field, file) {
  if (problem.field !== "media_type") return { ...problem, field };
  return { ...problem, field, detail: `“${file.name}” is not in a supported format` };
}

// XMLHttpRequest, because fetch reports no upload progress.
function send(address, data, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    request.onerror = () => reject(new ApiError({ status: 0, detail: "The upload failed. Are you online?" }));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onload = () => (request.status < 300 ? resolve() : reject(new ApiError(problemFromXhr(request))));
    signal?.addEventListener("abort", () => request.abort());
    signal?.throwIfAborted();
    request.send(data);
  });
}

function problemFromXhr(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    // An object store responds with XML.
    return { status: request.status, detail: `The upload was rejected (status ${request.status}).` };
  }
}
