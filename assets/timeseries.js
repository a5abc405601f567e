// Asks /api/v1/timeseries for the lines of one chart, on one grid of instants.

// Returns {from, to, scale, series: [{name, tone, values: [[ms, value|null]]}], isKnown}.
export async function ask(spec) {
  const { from, to } = rangeOf(spec);
  const answers = await Promise.all(spec.lines.map((line) => askLine(spec, line, from, to)));
  const series = answers.flat().filter((one) => one.values.some(([, value]) => value !== null));
  return { from, to, series, isKnown: series.length > 0 };
}

// Whole steps only: the one that is still filling would read as a fall.
export function rangeOf(spec) {
  const now = Number(document.querySelector("[data-now]")?.dataset.now ?? Date.now() / 1000);
  const to = spec.to ?? Math.floor(now / spec.step) * spec.step;
  return { from: spec.from ?? to - spec.range, to };
}

async function askLine(spec, line, from, to) {
  const query = new URLSearchParams({ metric: line.metric, from, to, step: spec.step, ...spec.filters });
  if (line.by) query.set("by", line.by);
  const response = await fetch(`/api/v1/timeseries?${query}`, { headers: { accept: "application/json" } });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  const divisor = spec.unit === "per_second" ? spec.step : 1;
  return answer.series.map(({ labels, values }) => ({
    name: line.by ? labels[line.by] || "(not named)" : line.name,
    values: values.map((value, i) => [answer.timestamps[i] * 1000, value === null ? null : value / divisor]),
  }));
}
