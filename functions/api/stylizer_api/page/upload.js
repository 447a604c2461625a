// Files go to the store directly, by a form that the API has signed.

import { ApiError, post, url } from "./api.js";

// Browsers leave the type empty for kinds they do not know.
const TYPES = { heic: "image/heic", heif: "image/heif", avif: "image/avif", tif: "image/tiff", tiff: "image/tiff" };
const typeOf = (file) => file.type || TYPES[file.name.split(".").pop().toLowerCase()] || "image/jpeg";

/**
 * Ask for a place to put a file, put it there, and give back the upload's id.
 *
 * `field` is what the page has asked the file for, and goes into every error; `onProgress` gets 0-1.
 */
export async function upload(file, { field, onProgress, signal }) {
  try {
    if (file.size === 0) throw new ApiError({ detail: `“${file.name}” is empty.` });
    const form = await post("v1/uploads", { media_type: typeOf(file) }, { signal });
    if (file.size > form.max_bytes) {
      const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
      throw new ApiError({
        detail: `“${file.name}” has ${megabytes(file.size)}; at most ${megabytes(form.max_bytes)} are accepted.`,
      });
    }
    const data = new FormData();
    for (const [name, value] of Object.entries(form.fields)) data.append(name, value);
    data.append("file", file);
    await send(url(form.url), data, onProgress, signal);
    return form.id;
  } catch (error) {
    if (error instanceof ApiError && !error.offline) throw new ApiError(ofField(error.problem, field, file));
    throw error;
  }
}

function ofField(problem, field, file) {
  if (problem.field !== "media_type") return { ...problem, field };
  return { ...problem, field, detail: `“${file.name}” is not a picture of a kind that can be painted` };
}

// XMLHttpRequest, because fetch does not tell how much of an upload has gone out.
function send(address, data, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    request.onerror = () => reject(new ApiError({ status: 0, detail: "The photo did not get through. Is the line up?" }));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onload = () => (request.status < 300 ? resolve() : reject(new ApiError(refusalOf(request))));
    signal?.addEventListener("abort", () => request.abort());
    signal?.throwIfAborted();
    request.send(data);
  });
}

function refusalOf(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    // An object store answers XML: the general sentence has to do.
    return { status: request.status, detail: `The file was refused (${request.status}).` };
  }
}
