// Cache of recent photos in IndexedDB, by upload id, for the before/after comparison after a reload or of an earlier
// painting. Without IndexedDB the page works without the comparison.

const MAX_PHOTOS = 12;

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

/** Store a photo, and evict the oldest. Resolves once it survives a reload of the page. */
export async function cachePhoto(id, file) {
  try {
    const photos = await store("readwrite");
    await done(photos.put({ id, file, at: Date.now() }));
    const oldestFirst = await done(photos.index("at").getAllKeys());
    for (const old of oldestFirst.slice(0, -MAX_PHOTOS)) photos.delete(old);
    await committed(photos.transaction);
  } catch {
    // A private window, or no space.
  }
}

/** Return the photo of an upload, or null. */
export async function cachedPhoto(id) {
  try {
    return (await done((await store("readonly")).get(id)))?.file ?? null;
  } catch {
    return null;
  }
}
