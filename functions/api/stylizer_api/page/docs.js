// Renders the openapi.json of the server, without any external library.

import { $, element } from "./dom.js";

const base = document.baseURI;
const api = await (await fetch(new URL("openapi.json", base))).json();

/** Turn `backticks` into <code>. */
function prose(text) {
  const parts = text.split("`");
  return parts.map((part, i) => (i % 2 ? element("code", { textContent: part }) : part));
}

const paragraphs = (text) => text.trim().split(/\n\s*\n/).map((part) => element("p", {}, ...prose(part)));

function resolve(schema) {
  if (schema.$ref) return resolve(api.components.schemas[schema.$ref.split("/").pop()]);
  if (schema.allOf?.length === 1) return { ...resolve(schema.allOf[0]), ...schema };
  const choices = (schema.anyOf ?? []).filter((choice) => choice.type !== "null");
  return choices.length === 1 ? { ...schema, ...resolve(choices[0]), description: schema.description } : schema;
}

/** Describe the type of a schema in a few words. */
function kind(given) {
  const schema = resolve(given);
  const choices = schema.anyOf?.filter((choice) => choice.type !== "null");
  if (choices) return choices.map(kind).join(" or ");
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.format === "binary") return "file";
  if (schema.contentMediaType) return "JSON";
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  if (schema.type === "object" && schema.properties) return `{ ${Object.keys(schema.properties).join(", ")} }`;
  const name = { integer: "whole number", string: "text" }[schema.type] ?? schema.type ?? "anything";
  const low = schema.minimum ?? (schema.exclusiveMinimum !== undefined ? `above ${schema.exclusiveMinimum}` : undefined);
  return [name, low !== undefined && `${low} to ${schema.maximum}`, schema.format].filter(Boolean).join(", ");
}

function row(name, schema, required) {
  const notes = [kind(schema)];
  if (required) notes.push("required");
  if (schema.default !== undefined && schema.default !== null && schema.default !== "") notes.push(`default ${schema.default}`);
  const description = schema.description ?? resolve(schema).description ?? "";
  return element(
    "tr",
    {},
    element("td", {}, element("code", { textContent: name })),
    element("td", {}, ...prose(description), element("span", { className: "kind", textContent: notes.join(" · ") })),
  );
}

function table(title, rows) {
  if (!rows.length) return [];
  const heading = title ? [element("h4", { textContent: title })] : [];
  return [...heading, element("table", {}, element("tbody", {}, ...rows))];
}

function fields(schema) {
  const required = new Set(schema.required);
  const names = Object.keys(schema.properties).sort((a, b) => required.has(b) - required.has(a));
  return names.map((name) => row(name, schema.properties[name], required.has(name)));
}

const PLACES = { path: "In the path", query: "Query", header: "Headers" };

function parameters(call) {
  return Object.entries(PLACES).flatMap(([place, title]) => {
    const found = (call.parameters ?? []).filter((parameter) => parameter.in === place && parameter.name !== "id");
    return table(title, found.map((p) => row(p.name, { ...p.schema, description: p.description }, p.required)));
  });
}

function bodies(call) {
  return Object.entries(call.requestBody?.content ?? {}).flatMap(([type, { schema }]) => table(`Body, ${type}`, fields(resolve(schema))));
}

/** Turn text into prose, or a list if its lines begin with a hyphen. */
function described(text) {
  const lines = text.split("\n");
  if (!lines[0].startsWith("- ")) return prose(text);
  return [element("ul", {}, ...lines.map((line) => element("li", {}, ...prose(line.slice(2)))))];
}

function sample(media) {
  const [example] = Object.values(media?.examples ?? {});
  if (!example) return [];
  const text = element("pre", { textContent: JSON.stringify(example.value, null, 2), tabIndex: 0, role: "region", ariaLabel: "Example" });
  return [element("details", {}, element("summary", { textContent: "Example" }), text)];
}

function responses(call) {
  const byCode = Object.entries(call.responses).sort(([a], [b]) => a.localeCompare(b));
  const rows = byCode.map(([code, { description, content, headers }]) => {
    const [type, media] = Object.entries(content ?? {})[0] ?? [];
    const what = media?.schema ? resolve(media.schema).title : type;
    const names = Object.keys(headers ?? {}).filter((name) => name !== "X-Request-Id");
    const notes = [what, names.length && `headers ${names.join(", ")}`].filter(Boolean).join(" · ");
    return element(
      "tr",
      {},
      element("td", {}, element("code", { textContent: code })),
      element("td", {}, ...described(description), element("span", { className: "kind", textContent: notes }), ...sample(media)),
    );
  });
  return table("Responses", rows);
}

function card(path, method, call) {
  return element(
    "article",
    { className: "call", id: call.operationId },
    element("h3", {}, element("span", { className: `verb ${method}`, textContent: method.toUpperCase() }), element("code", { textContent: path })),
    element("p", { className: "summary", textContent: call.summary }),
    ...paragraphs(call.description ?? ""),
    ...parameters(call),
    ...bodies(call),
    ...responses(call),
  );
}

const calls = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, call]) => ({ path, method, call })),
);
$("about").append(...paragraphs(api.info.description));
const key = api.components.securitySchemes ? "-H 'X-Api-Key: your key' " : "";
$("example").textContent = `curl -F content=@photo.jpg -F style=woodcut -H 'Prefer: wait=60' ${key}\\
  ${new URL("v1/stylizations", base)}

curl -L -o painting.jpg ${key}${new URL("v1/stylizations/", base)}<id from the response>/image`;
for (const { name, description } of api.tags) {
  $("calls").append(element("h2", { textContent: name }), ...paragraphs(description));
  $("contents").append(element("strong", { textContent: name }));
  for (const { path, method, call } of calls.filter(({ call }) => call.tags.includes(name))) {
    $("calls").append(card(path, method, call));
    $("contents").append(element("a", { href: `#${call.operationId}`, textContent: call.summary }));
  }
}
$("calls").append(element("h2", { textContent: "Resources" }));
$("contents").append(element("strong", { textContent: "Resources" }));
for (const name of ["Stylization", "Result", "Style", "Upload", "Problem"]) {
  const schema = api.components.schemas[name];
  const shown = element("article", { className: "call", id: name }, element("h3", { textContent: name }));
  shown.append(...paragraphs(schema.description.split("Attributes:")[0]), ...table(null, fields(schema)));
  $("calls").append(shown);
  $("contents").append(element("a", { href: `#${name}`, textContent: name }));
}
