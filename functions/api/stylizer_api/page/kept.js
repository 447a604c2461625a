// Photos of the last paintings, kept in this browser by the id of their upload, so that before and after can still be
// compared when the page is loaded again or an earlier painting is opened. Without such a store it works as well, only
// without the "before".

const MOST = 12;

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const committed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });

async function store(mode) {
  const opening = indexedDB.open("image-stylizer", 1);
  opening.onupgradeneeded = () =>
    opening.result.createObjectStore("photos", { keyPath: "id" }).createIndex("at", "at");
  return (await done(opening)).transaction("photos", mode).objectStore("photos");
}

/** Keep a photo, in place of the oldest. Resolves once it would survive a reload of the page. */
export async function keep(id, file) {
  try {
    const photos = await store("readwrite");
    await done(photos.put({ id, file, at: Date.now() }));
    const oldestFirst = await done(photos.index("at").getAllKeys());
    for (const old of oldestFirst.slice(0, -MOST)) photos.delete(old);
    await committed(photos.transaction);
  } catch {
    // A private window, or no room.
  }
}

/** The photo of an upload, or null. */
export async function kept(id) {
  try {
    return (await done((await store("readonly")).get(id)))?.file ?? null;
  } catch {
    return null;
  }
}
