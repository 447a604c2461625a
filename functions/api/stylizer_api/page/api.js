// REST API client. URLs are relative to the page, so that it works below a path prefix, whether the server includes the
// prefix in its links or a proxy strips it.

import { requestKey, key } from "./api-key.js";

/** Resolve an API path; absolute URLs of other hosts stay as they are. */
export const url = (path) => new URL(path.replace(/^\/(?:.*\/)?(?=v1\/)/, ""), document.baseURI).href;

/** Error response, with a message for people. */
export class ApiError extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || "Something went wrong.");
    this.problem = problem;
    this.offline = problem.status === 0;
  }
}

const OFFLINE = { status: 0, title: "Offline", detail: "The server is not responding. Check your connection, and that the server is running." };

// All swatches at once exceed the rate limit of a key on some stages; throttled requests are safe to retry.
const MAX_ATTEMPTS = 8;

/** Whether an error is an abort by the user rather than a failure. */
export const isAbort = (error) => error.name === "AbortError";

async function readProblem(response) {
  try {
    return await response.json();
  } catch {
    return { status: response.status, title: `The server responded with status ${response.status}.` };
  }
}

/** Send a request with the API key, if any; ask for a missing key, and retry when throttled. */
async function request(path, init = {}) {
  for (let attempt = 1; ; attempt += 1) {
    const used = key();
    const headers = used ? { ...init.headers, "X-Api-Key": used } : init.headers;
    let response;
    try {
      response = await fetch(url(path), { ...init, headers });
    } catch (error) {
      throw isAbort(error) ? error : new ApiError(OFFLINE);
    }
    if (response.ok) return response;
    const problem = await readProblem(response);
    if (problem.type === "/problems/throttled" && attempt < MAX_ATTEMPTS) await sleep(attempt * (400 + 800 * Math.random()));
    else if (problem.type !== "/problems/missing-api-key" || !(await requestKey(used))) throw new ApiError(problem);
  }
}

const call = async (path, init) => (await request(path, init)).json();

export const get = (path, signal) => call(path, { signal });

export const post = (path, body, { headers = {}, signal } = {}) =>
  call(path, {
    method: "POST",
    headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });

/** Download a file, and return a blob URL, which can be saved under any name. */
export const blobUrl = async (path) => URL.createObjectURL(await (await request(path)).blob());

/** URL for an <img>: a blob URL if there is a key, because <img> sends no headers. */
export const imageUrl = async (path) => (key() ? blobUrl(path) : url(path));

/** Create an <img>; on failure its `alt` is shown. */
export function imageElement(path, properties) {
  const image = Object.assign(new Image(), properties);
  imageUrl(path).then((address) => (image.src = address), () => {});
  return image;
}

/** Create an idempotency key. crypto.randomUUID is unavailable on plain http. */
export const newIdempotencyKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
