// The REST API as a few functions. Addresses are taken relative to the page, so that it also works below a path prefix,
// whether the server knows of it and puts it into its links, or a proxy takes it away before the server sees it.

import { askForKey, key } from "./key.js";

const url = (path) => new URL(path.replace(/^\/(?:.*\/)?(?=v1\/)/, ""), document.baseURI).href;

/** An answer that is not a success, with a message for people. */
export class ApiError extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || "Something went wrong.");
    this.problem = problem;
    this.offline = problem.status === 0;
  }
}

const OFFLINE = { status: 0, title: "Offline", detail: "The server does not answer. Is it still running?" };

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { status: response.status, title: `The server answered ${response.status}.` };
  }
}

/** One request, with the key where the service asks for one. */
async function request(path, init = {}) {
  for (;;) {
    const used = key();
    const headers = used ? { ...init.headers, "X-Api-Key": used } : init.headers;
    let response;
    try {
      response = await fetch(url(path), { ...init, headers });
    } catch {
      throw new ApiError(OFFLINE);
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status !== 403 || !(await askForKey(used))) throw new ApiError(problem);
  }
}

const call = async (path, init) => (await request(path, init)).json();

export const get = (path) => call(path);

/** An address to show a picture by. An <img> sends no key, so where there is one it is the address of a copy. */
export async function pictureAddress(path) {
  return key() ? URL.createObjectURL(await (await request(path)).blob()) : url(path);
}

/** An <img> of such a picture; without it, its `alt` has to do. */
export function imageOf(path, attributes) {
  const image = Object.assign(new Image(), attributes);
  pictureAddress(path).then((address) => (image.src = address), () => {});
  return image;
}

export const post = (path, body, headers = {}) =>
  call(path, {
    method: "POST",
    headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

// Browsers leave the type empty for kinds they do not know.
const TYPES = { heic: "image/heic", heif: "image/heif", avif: "image/avif", tif: "image/tiff", tiff: "image/tiff" };
const typeOf = (file) => file.type || TYPES[file.name.split(".").pop().toLowerCase()] || "image/jpeg";

/** Ask for a place to put a file, put it there, and give back the upload's id. `onProgress` gets 0-1. */
export async function upload(file, onProgress) {
  if (file.size === 0) throw new ApiError({ detail: `“${file.name}” is empty.` });
  const form = await post("v1/uploads", { media_type: typeOf(file) });
  if (file.size > form.max_bytes) {
    const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
    throw new ApiError({
      detail: `“${file.name}” has ${mebibytes(file.size)}; at most ${mebibytes(form.max_bytes)} are accepted.`,
    });
  }
  const data = new FormData();
  for (const [name, value] of Object.entries(form.fields)) data.append(name, value);
  data.append("file", file);
  await send(form.url, data, onProgress);
  return form.id;
}

// XMLHttpRequest, because fetch does not tell how much of an upload has gone out.
function send(address, data, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url(address));
    request.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    request.onerror = () => reject(new ApiError(OFFLINE));
    request.onload = () => {
      if (request.status < 300) return resolve();
      let problem = { status: request.status, title: `The upload was refused (${request.status}).` };
      try {
        problem = JSON.parse(request.responseText);
      } catch {
        // An object store answers XML: the general sentence has to do.
      }
      return reject(new ApiError(problem));
    };
    request.send(data);
  });
}

/** A key under which a repeated POST makes no second job. (crypto.randomUUID is missing on plain http.) */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
