// Paintings as the service has them: asked for, watched, stopped, listed.

import { get, newKey, post, sleep } from "./api.js";

const FINAL = new Set(["succeeded", "failed", "canceled", "expired"]);

export const isOver = (job) => FINAL.has(job.status);

/** Ask for a painting; if the line drops, once more under the same key, which makes no second job. */
export async function askFor(body) {
  const options = { headers: { "Idempotency-Key": newKey() } };
  try {
    return await post("v1/stylizations", body, options);
  } catch (error) {
    if (!error.offline) throw error;
    await sleep(1000);
    return post("v1/stylizations", body, options);
  }
}

/**
 * A job as it goes on, up to its end or until the signal says that nobody looks any more.
 *
 * Gives null while the server is away; it keeps the job.
 */
export async function* watch(id, signal) {
  let pause = 100; // milliseconds; longer and longer, for what is not done at once takes seconds
  while (!signal.aborted) {
    const job = await lookUp(id);
    if (signal.aborted) return;
    yield job;
    if (job && isOver(job)) return;
    await sleep(job ? pause : 2000);
    pause = Math.min(500, pause * 1.5);
  }
}

async function lookUp(id) {
  try {
    return await get(`v1/stylizations/${id}`);
  } catch (error) {
    if (!error.offline) throw error;
    return null;
  }
}

/** Stop a job, and give it back; or null if it had ended in this very moment. */
export async function cancel(id) {
  try {
    return await post(`v1/stylizations/${id}/cancel`);
  } catch (error) {
    if (error.problem?.status !== 409) throw error;
    return null;
  }
}

/** Delete the files of a job, and give it back. */
export const erase = (id) => post(`v1/stylizations/${id}/delete`);

export const list = (limit, cursor) =>
  get(`v1/stylizations?limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
