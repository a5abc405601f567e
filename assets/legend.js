// The newest values above a chart: what a glance needs, and what a screen reader gets.
import { inOrder, toneOf } from "./chart-option.js";
import { element } from "./tooltip.js";
import { unitOf } from "./units.js";

export function showLegend(figure, spec, answer) {
  const unit = unitOf(spec, answer);
  const items = inOrder(answer.series).map((one, i) => ({ name: one.name, tone: toneOf(one.name, i), text: lastOf(one, unit) }));
  if (spec.stacked) items.reverse();
  const areGone = items.length > 0 && items.every(({ text }) => text === "unknown");
  const nodes = items.map(({ name, tone, text }) => itemOf(name, tone, areGone ? "" : text));
  if (areGone) nodes.push(element("span", "legend-item", "now unknown"));
  figure.querySelector("[data-legend]").replaceChildren(...nodes);
  const sentence = items.map(({ name, text }) => `${name} ${text}`).join(", ") || "unknown";
  figure.querySelector("[data-canvas]").setAttribute("aria-label", `${spec.title}, newest: ${sentence}`);
}

function lastOf({ values }, unit) {
  const last = values.at(-1)[1];
  return last === null ? "unknown" : unit.write(last);
}

function itemOf(name, tone, text) {
  const item = element("span", "legend-item");
  const swatch = element("span", "swatch");
  swatch.style.background = tone;
  item.append(swatch, element("span", "legend-name", name), element("b", "legend-value", text));
  return item;
}
