// Jobs: create, poll, cancel, delete and list.

import { get, newIdempotencyKey, post, sleep } from "./api.js";

const FINAL = new Set(["succeeded", "failed", "canceled", "expired"]);

export const hasEnded = (job) => FINAL.has(job.status);

/** Create a job; retry once with the same idempotency key if the connection drops. */
export async function createJob(body) {
  const options = { headers: { "Idempotency-Key": newIdempotencyKey() } };
  try {
    return await post("v1/stylizations", body, options);
  } catch (error) {
    if (!error.offline) throw error;
    await sleep(1000);
    return post("v1/stylizations", body, options);
  }
}

/** Poll a job until it ends or the signal aborts; yields null while the server is unreachable. */
export async function* watch(id, signal) {
  let pause = 100; // milliseconds, growing: jobs that are not done at once take seconds
  while (!signal.aborted) {
    const job = await fetchJob(id);
    if (signal.aborted) return;
    yield job;
    if (job && hasEnded(job)) return;
    await sleep(job ? pause : 2000);
    pause = Math.min(500, pause * 1.5);
  }
}

async function fetchJob(id) {
  try {
    return await get(`v1/stylizations/${id}`);
  } catch (error) {
    if (!error.offline) throw error;
    return null;
  }
}

/** Cancel a job, and return it; null if it had just ended. */
export async function cancel(id) {
  try {
    return await post(`v1/stylizations/${id}/cancel`);
  } catch (error) {
    if (error.problem?.status !== 409) throw error;
    return null;
  }
}

/** Delete the files of a job, and return it. */
export const deleteJob = (id) => post(`v1/stylizations/${id}/delete`);

export const list = (limit, cursor) =>
  get(`v1/stylizations?limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
