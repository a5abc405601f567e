// Asks /api/v1/timeseries for the lines of one chart, on one grid of instants.

// Returns {from, to, series: [{name, values: [[ms, value|null]]}], isKnown}.
export async function ask(spec) {
  const { from, to } = rangeOf(spec);
  const answers = await Promise.all(questionsOf(spec).map((question) => askOne(spec, question, from, to)));
  const series = answers.flat().filter((one) => one.values.some(([, value]) => value !== null));
  return { from, to, series, isKnown: series.length > 0 };
}

// Lines that are whole metrics are asked for together: the server then reads its rows once.
function questionsOf({ lines }) {
  const whole = lines.filter((line) => !line.by);
  const parts = lines.filter((line) => line.by).map(({ metric, by, only }) => ({ metric, by, only, nameOf: (labels) => labels[by] || "(not named)" }));
  if (!whole.length) return parts;
  const names = Object.fromEntries(whole.map((line) => [line.metric, line.name]));
  return [{ metric: Object.keys(names).join(","), nameOf: ({ metric }) => names[metric ?? whole[0].metric] }, ...parts];
}

// Whole steps only: the one that is still filling would read as a fall.
export function rangeOf(spec) {
  const now = Number(document.querySelector("[data-now]")?.dataset.now ?? Date.now() / 1000);
  const to = spec.to ?? Math.floor(now / spec.step) * spec.step;
  return { from: spec.from ?? to - spec.range, to };
}

async function askOne(spec, { metric, by, only, nameOf }, from, to) {
  const query = new URLSearchParams({ metric, from, to, step: spec.step, ...spec.filters });
  if (by) query.set("by", by);
  const response = await fetch(`/api/v1/timeseries?${query}`, { headers: { accept: "application/json" } });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  const divisor = spec.unit === "per_second" ? spec.step : 1;
  return answer.series.filter(({ labels }) => isShown(labels, by, only)).map(({ labels, values }) => ({
    name: nameOf(labels),
    values: values.map((value, i) => [answer.timestamps[i] * 1000, value === null ? null : value / divisor]),
  }));
}

// A retried attempt ends no message: its line would be 0 for ever.
const isShown = (labels, by, only) => labels.outcome !== "retried" && (!only?.length || only.includes(labels[by]));
