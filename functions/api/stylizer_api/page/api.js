// The REST API as a few functions. Addresses are taken relative to the page, so that it also works below a path prefix,
// whether the server knows of it and puts it into its links, or a proxy takes it away before the server sees it.

import { askForKey, key } from "./key.js";

/** The address of a path of the API, or of another host as it is. */
export const url = (path) => new URL(path.replace(/^\/(?:.*\/)?(?=v1\/)/, ""), document.baseURI).href;

/** An answer that is not a success, with a message for people. */
export class ApiError extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || "Something went wrong.");
    this.problem = problem;
    this.offline = problem.status === 0;
  }
}

const OFFLINE = { status: 0, title: "Offline", detail: "The server does not answer. Is it still running?" };

// A page full of swatches is more than a key may ask for at once on some stages; what is throttled has not been seen.
const MOST_TRIES = 8;

/** Whether someone has stopped what was going on, rather than anything having failed. */
export const wasStopped = (error) => error.name === "AbortError";

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { status: response.status, title: `The server answered ${response.status}.` };
  }
}

/** One request, with the key where the service asks for one, and again where it takes no more for a moment. */
async function request(path, init = {}) {
  for (let tries = 1; ; tries += 1) {
    const used = key();
    const headers = used ? { ...init.headers, "X-Api-Key": used } : init.headers;
    let response;
    try {
      response = await fetch(url(path), { ...init, headers });
    } catch (error) {
      throw wasStopped(error) ? error : new ApiError(OFFLINE);
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.type === "/problems/throttled" && tries < MOST_TRIES) await sleep(tries * (400 + 800 * Math.random()));
    else if (problem.type !== "/problems/missing-api-key" || !(await askForKey(used))) throw new ApiError(problem);
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

/** The address of a copy of a picture, which can be saved under any name. */
export const copyAddress = async (path) => URL.createObjectURL(await (await request(path)).blob());

/** An address to show a picture by. An <img> sends no key, so where there is one it is that of a copy. */
export const pictureAddress = async (path) => (key() ? copyAddress(path) : url(path));

/** An <img> of such a picture; without it, its `alt` has to do. */
export function imageOf(path, properties) {
  const image = Object.assign(new Image(), properties);
  pictureAddress(path).then((address) => (image.src = address), () => {});
  return image;
}

/** A key under which a repeated POST makes no second job. (crypto.randomUUID is missing on plain http.) */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
