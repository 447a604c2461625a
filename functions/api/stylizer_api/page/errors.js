// Error messages, next to the control that is at fault.

import { $, element } from "./dom.js";

/** Show a problem at its field, or below the picture if it concerns the photo or no field. */
export function showProblem(problem) {
  const place = fieldsetOf(problem.field);
  const text = sentence(problem);
  if (!place) return showNotice(text);
  clearErrors(place);
  const message = element("p", { className: "error", id: `error-${place.dataset.field}`, role: "alert" });
  place.append(message);
  message.textContent = text; // after insertion, so that screen readers announce it
  const control = place.querySelector("input:checked, input:not([type=radio], [type=search]), select") ?? place;
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-errormessage", message.id);
  place.closest("details")?.setAttribute("open", "");
  control.focus();
  place.scrollIntoView({ block: "nearest" });
}

/** Remove error messages, everywhere or in one place. */
export function clearErrors(place = document) {
  for (const message of place.querySelectorAll("[data-field] > .error, :scope > .error")) message.remove();
  for (const control of place.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-errormessage");
  }
  if (place === document) hideNotice();
}

export function showNotice(text) {
  if ($("notice-text").textContent === text) return; // not announced again
  $("notice").hidden = false;
  $("notice-text").textContent = text;
}

export function hideNotice() {
  $("notice").hidden = true;
  $("notice-text").textContent = "";
}

function fieldsetOf(field) {
  const name = field?.startsWith("styles") || field === "style_url" ? "style" : field;
  const open = document.querySelector("dialog[open]") ?? document;
  return name ? open.querySelector(`[data-field="${CSS.escape(name)}"]`) : null;
}

// Labels of API fields on this page.
const NAMES = { content_mask: "content mask", content_url: "the address", style_url: "the address of the style", keep_metadata: "keep metadata", preserve_color: "colors", seed: "variation", style_scale: "stroke size" };

function sentence(problem) {
  const given = problem.detail || problem.title || "Something went wrong";
  const detail = given.replace(/^\w+|\b\w+_\w+/g, (word) => NAMES[word] ?? word).replace(/\.$/, "");
  const allowed = [problem.allowed ?? []].flat().map((choice) => choice.replace("image/", ""));
  const isIncluded = allowed.every((choice) => detail.includes(choice)); // most details end with the allowed values
  const whole = isIncluded ? detail : `${detail}. Allowed: ${allowed.join(", ")}`;
  return `${whole[0].toUpperCase()}${whole.slice(1)}.`;
}

$("notice-close").addEventListener("click", hideNotice);
// Editing a field clears its error.
document.addEventListener("input", (event) => {
  const place = event.target.closest("[data-field]");
  if (place) clearErrors(place);
});
