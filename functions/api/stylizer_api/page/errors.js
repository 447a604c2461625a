// Says what went wrong, in words, next to what is to be mended.

import { $, element } from "./dom.js";

/** Show a problem at the field it names, or under the picture if it is about the photo or about none. */
export function explain(problem) {
  const place = placeOf(problem.field);
  const text = sentence(problem);
  if (!place) return showNotice(text);
  clearErrors(place);
  const message = element("p", { className: "error", id: `error-${place.dataset.field}`, role: "alert" });
  place.append(message);
  message.textContent = text; // after it is there, so that it is read out
  const control = place.querySelector("input:checked, input:not([type=radio], [type=search]), select") ?? place;
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-errormessage", message.id);
  place.closest("details")?.setAttribute("open", "");
  control.focus();
  place.scrollIntoView({ block: "nearest" });
}

/** Take away what was said before, everywhere or in one place. */
export function clearErrors(place = document) {
  for (const message of place.querySelectorAll("[data-field] > .error, :scope > .error")) message.remove();
  for (const control of place.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-errormessage");
  }
  if (place === document) hideNotice();
}

export function showNotice(text) {
  if ($("notice-text").textContent === text) return; // it need not be read out again
  $("notice").hidden = false;
  $("notice-text").textContent = text;
}

export function hideNotice() {
  $("notice").hidden = true;
  $("notice-text").textContent = "";
}

function placeOf(field) {
  const name = field?.startsWith("styles") ? "style" : field;
  const open = document.querySelector("dialog[open]") ?? document;
  return name ? open.querySelector(`[data-field="${CSS.escape(name)}"]`) : null;
}

// What the API's fields are called on this page.
const NAMES = { content_mask: "content mask", preserve_color: "colors", seed: "variation", style_scale: "stroke size" };

function sentence(problem) {
  const given = problem.detail || problem.title || "Something went wrong";
  const detail = given.replace(/^\w+|\b\w+_\w+/g, (word) => NAMES[word] ?? word).replace(/\.$/, "");
  const allowed = [problem.allowed ?? []].flat().map((choice) => choice.replace("image/", ""));
  const isTold = allowed.every((choice) => detail.includes(choice)); // most details end with what is allowed
  const whole = isTold ? detail : `${detail}. Possible: ${allowed.join(", ")}`;
  return `${whole[0].toUpperCase()}${whole.slice(1)}.`;
}

$("notice-close").addEventListener("click", hideNotice);
// What is being mended is no longer wrong.
document.addEventListener("input", (event) => {
  const place = event.target.closest("[data-field]");
  if (place) clearErrors(place);
});
