// Every style there is, the grid that shows them, and the field that finds among them.

import { get, pictureAddress } from "./api.js";
import { $, element } from "./dom.js";

const WORTH_FINDING = 9; // styles; fewer are seen at a glance
const byId = new Map();

/** Fill the grid: one's own first, the newest before the others, then those that are built in. */
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
  offerToFind();
  find(); // by what was typed while the styles were loading
  return styles.find((style) => !style.own)?.id;
}

/** Put a new style of one's own at the front. */
export function addToCatalog(style) {
  remember(style);
  $("tiles").prepend(tile(style));
  offerToFind();
  $("find").value = "";
  find();
}

export const styleOf = (id) => byId.get(id);

export const titleOf = (id) => byId.get(id)?.title ?? "A style of your own";

/** "Katsushika Hokusai, 1831", as far as it is known. */
export const madeBy = (style) => (style.own ? "Your own" : [style.artist, style.year].filter(Boolean).join(", "));

/** Show a style's swatch in an <img>. */
export function hang(image, id) {
  const style = byId.get(id);
  image.dataset.style = id;
  // By the time the address is there, the image may be another style's.
  style?.picture.then((address) => image.dataset.style === id && (image.src = address), () => {});
}

/** Scroll the grid, and only that, to a style. */
export function reveal(id) {
  const label = [...document.getElementsByName("style")].find((radio) => radio.value === id)?.closest("label");
  const grid = $("tiles");
  if (label) grid.scrollTo({ top: label.offsetTop - grid.clientHeight / 3, left: label.offsetLeft - grid.clientWidth / 3 });
}

function remember(style) {
  byId.set(style.id, { ...style, picture: pictureAddress(style.links.image) });
}

function tile(style) {
  const picture = element("img", { alt: "", decoding: "async" });
  hang(picture, style.id);
  const radio = element("input", { type: "radio", name: "style", value: style.id });
  const title = element("span", { className: "tile-title", textContent: style.title });
  const label = element("label", { className: "tile" }, radio, element("span", { className: "swatch" }, picture), title);
  label.title = [style.title, madeBy(style)].filter(Boolean).join(" · ");
  return label;
}

function offerToFind() {
  $("find").hidden = byId.size < WORTH_FINDING;
}

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase(); // "cezanne" finds Cézanne

function find() {
  const words = plain($("find").value).split(/\s+/).filter(Boolean);
  let count = 0;
  for (const radio of document.getElementsByName("style")) {
    const { title, artist, year, own } = byId.get(radio.value);
    const text = plain([title, artist, year, own ? "own" : ""].join(" "));
    const fits = words.every((word) => text.includes(word));
    radio.closest("label").hidden = !fits;
    count += fits;
  }
  $("none-found").hidden = count > 0;
  $("found").textContent = words.length ? `${count} ${count === 1 ? "style" : "styles"}` : "";
}

$("find").addEventListener("input", find);
$("find").addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault()); // does not paint
