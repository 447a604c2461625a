// Choice of styles: one, a blend of two, or one for each region.

import { addToCatalog, attribution, scrollToStyle, showSwatch, styleOf, titleOf, urlStyle } from "./catalog.js";
import { $, element } from "./dom.js";
import { activeRegion, isPerRegion, keepsRest, paintedRegions, regionCount, restoreRegions, setPerRegion, showRegions } from "./regions.js";

const slots = $("panel").elements.slot;
let chosen = [null, null, null, null]; // ids; the second is used in a blend, all in regions

const isBlend = () => !$("blend").hidden;
const active = () => (isBlend() ? Number(slots.value) : isPerRegion() ? activeRegion() : 0);
const used = () => (isPerRegion() ? regionCount() + 1 : isBlend() ? 2 : 1);
const radios = () => [...document.getElementsByName("style")];

/** Return the chosen styles with weights, as in the API; `region` is the number of the region whose mask is to be added. */
export function chosenStyles() {
  if (isPerRegion()) {
    const painted = paintedRegions().map((region) => ({ style: chosen[region], weight: 1, region }));
    return keepsRest() && painted.length ? painted : [{ style: chosen[0], weight: 1 }, ...painted];
  }
  if (!isBlend()) return [{ style: chosen[0], weight: 1 }];
  const percent = Number($("balance").value); // of the second style, on the right
  return [{ style: chosen[0], weight: 100 - percent }, { style: chosen[1], weight: percent }];
}

/** Choose the styles of a job, as far as they still exist. */
export function chooseStyles(wanted) {
  for (const style of wanted.map((entry) => urlStyle(entry.style))) if (style) addToCatalog(style);
  const known = wanted.filter((entry) => styleOf(entry.style));
  if (!known.length) return;
  const [first, second] = known;
  const masked = known.filter((entry) => entry.mask).slice(0, 3);
  if (masked.length) {
    const rest = known.find((entry) => !entry.mask);
    chosen = [(rest ?? first).style, ...masked.map((entry) => entry.style)];
    restoreRegions(masked.map((entry) => entry.mask), !rest);
  } else {
    chosen = [first.style, second?.style ?? null];
    if (second) $("balance").value = (100 * second.weight) / (first.weight + second.weight);
  }
  while (chosen.length < 4) chosen.push(null);
  setPerRegion(masked.length > 0);
  setBlend(!masked.length && Boolean(second), 0);
  scrollToStyle(first.style);
}

/** Choose a style for the active slot. */
export function chooseStyle(id) {
  chosen[active()] = id;
  show();
}

function setBlend(on, slot) {
  $("blend").hidden = !on;
  $("blend-toggle").setAttribute("aria-expanded", String(on));
  $("blend-toggle").textContent = on ? "Use one style only" : "Blend with a second style";
  slots.value = String(slot);
  if (on && isPerRegion()) setPerRegion(false);
  fillSlots();
  show();
}

function toggleRegions(on) {
  if (on && isBlend()) setBlend(false, 0);
  setPerRegion(on);
  fillSlots();
  show();
}

/** Give each slot in use a style, unlike the others if there are enough. */
function fillSlots() {
  for (let slot = 1; slot < used(); slot++) {
    chosen[slot] ??= radios().find((radio) => !chosen.includes(radio.value))?.value ?? chosen[0];
  }
}

function show() {
  const style = styleOf(chosen[active()]);
  for (const radio of radios()) {
    radio.checked = radio.value === style?.id;
    const isOther = chosen.slice(0, used()).some((id, slot) => id === radio.value && slot !== active());
    radio.closest("label").classList.toggle("other", isOther);
  }
  describe(style);
  showSwatch($("hung"), chosen[0]);
  showSwatch($("glow"), chosen[0]);
  $("invitation-style").textContent = chosen[0] ? titleOf(chosen[0]) : "a work of art";
  if (isBlend()) showBlend();
  if (isPerRegion()) showRegions(chosen);
}

function describe(style) {
  const title = element("strong", { textContent: style?.title ?? "" });
  const facts = style ? [attribution(style), style.description?.replace(/\.$/, ""), style.license] : [];
  $("about").replaceChildren(title, ...facts.filter(Boolean).map((fact) => ` · ${fact}`));
}

function showBlend() {
  const percent = Number($("balance").value);
  const parts = [100 - percent, percent];
  for (const [slot, part] of parts.entries()) {
    showSwatch($(`slot-${slot}-swatch`), chosen[slot]);
    $(`slot-${slot}-title`).textContent = titleOf(chosen[slot]);
    $(`share-${slot}`).textContent = `${part} %`;
  }
  $("balance").setAttribute("aria-valuetext", parts.map((part, slot) => `${part} % ${titleOf(chosen[slot])}`).join(", "));
}

$("tiles").addEventListener("change", (event) => chooseStyle(event.target.value));
$("blend").addEventListener("input", show);
$("blend-toggle").addEventListener("click", () => setBlend(!isBlend(), isBlend() ? 0 : 1));
$("regions-toggle").addEventListener("click", () => toggleRegions(!isPerRegion()));
$("region-slots").addEventListener("change", show);
document.addEventListener("region-added", ({ detail: region }) => {
  fillSlots();
  show();
  const radio = $("region-slots").querySelector(`input[value="${region}"]`);
  radio.checked = true;
  radio.focus();
  show();
});
