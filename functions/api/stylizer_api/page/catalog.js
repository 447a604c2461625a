// Catalog of styles: the grid and its search field.

import { get, imageUrl } from "./api.js";
import { $, element } from "./dom.js";

const SEARCH_FROM = 9; // styles; fewer need no search
const byId = new Map();

/** Load the grid: the user's own styles first, newest first, then the built-in ones. Returns a built-in style. */
export async function loadCatalog() {
  const styles = [];
  let cursor = null;
  do {
    const page = await get(`v1/styles?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    styles.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  for (const style of [...styles.filter((s) => s.own), ...styles.filter((s) => !s.own)]) {
    remember(style);
    $("tiles").append(tile(style));
  }
  toggleSearch();
  filterStyles(); // by text typed while the styles were loading
  return styles.find((style) => !style.own)?.id;
}

/** Add a new style of the user at the front. */
export function addToCatalog(style) {
  if (byId.has(style.id)) return;
  remember(style);
  $("tiles").prepend(tile(style));
  toggleSearch();
  $("find").value = "";
  filterStyles();
}

/** A style that is a picture at a URL, which only the service loads; null for another id. */
export function urlStyle(id) {
  if (!id.startsWith("https://") || !URL.canParse(id)) return null;
  return { id, title: nameOfUrl(id), artist: null, year: null, own: true, links: null };
}

/** Name to show for a URL: the last part of its path, and the host. */
export function nameOfUrl(address) {
  const { pathname, hostname } = new URL(address);
  const file = pathname.split("/").pop();
  return file ? `${file} from ${hostname}` : hostname;
}

export const styleOf = (id) => byId.get(id);

export const titleOf = (id) => byId.get(id)?.title ?? "Your own style";

/** Artist and year if known: "Katsushika Hokusai, 1831". */
export const attribution = (style) => (style.own ? "Your own" : [style.artist, style.year].filter(Boolean).join(", "));

/** Show the swatch of a style in an <img>. */
export function showSwatch(image, id) {
  const style = byId.get(id);
  image.dataset.style = id;
  if (!style?.links) image.removeAttribute("src");
  // The image may show another style by the time the URL is resolved.
  style?.picture?.then((address) => image.dataset.style === id && (image.src = address), () => {});
}

/** Scroll the grid, but not the page, to a style. */
export function scrollToStyle(id) {
  const label = [...document.getElementsByName("style")].find((radio) => radio.value === id)?.closest("label");
  const grid = $("tiles");
  if (label) grid.scrollTo({ top: label.offsetTop - grid.clientHeight / 3, left: label.offsetLeft - grid.clientWidth / 3 });
}

function remember(style) {
  byId.set(style.id, { ...style, picture: style.links && imageUrl(style.links.image) });
}

function tile(style) {
  const picture = element("img", { alt: "", decoding: "async" });
  showSwatch(picture, style.id);
  const radio = element("input", { type: "radio", name: "style", value: style.id });
  const title = element("span", { className: "tile-title", textContent: style.title });
  const label = element("label", { className: "tile" }, radio, element("span", { className: "swatch" }, picture), title);
  label.classList.toggle("remote", !style.links);
  label.title = [style.title, attribution(style)].filter(Boolean).join(" · ");
  return label;
}

function toggleSearch() {
  $("find").hidden = byId.size < SEARCH_FROM;
}

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase(); // "cezanne" finds Cézanne

function filterStyles() {
  const words = fold($("find").value).split(/\s+/).filter(Boolean);
  let count = 0;
  for (const radio of document.getElementsByName("style")) {
    const { title, artist, year, own } = byId.get(radio.value);
    const text = fold([title, artist, year, own ? "own" : ""].join(" "));
    const fits = words.every((word) => text.includes(word));
    radio.closest("label").hidden = !fits;
    count += fits;
  }
  $("none-found").hidden = count > 0;
  $("found").textContent = words.length ? `${count} ${count === 1 ? "style" : "styles"}` : "";
}

$("find").addEventListener("input", filterStyles);
$("find").addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault()); // does not submit the form
