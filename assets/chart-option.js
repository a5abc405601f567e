// A chart's answer as ECharts' option. Colours are the style sheet's, so that themes need no second list.
import { clockTime, dayAndTime } from "./format.js";
import { tooltipOf } from "./tooltip.js";
import { unitOf } from "./units.js";

// Failures lie at the foot of a stack: on the base line even a thin band shows its course.
const ORDER = ["expired", "dropped", "error", "retried", "filtered", "ok"];
const DAY_S = 86400;
const EVERY_S = [60, 300, 600, 900, 1800, 3600, 10_800, 21_600, 43_200, DAY_S];
const SERIES = 6;

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
// A name with a meaning has its own colour; any others take turns, the first one the usual.
export const toneOf = (name, i = 0) => colour(`line-${name}`) || colour(`series-${i % SERIES}`);
export const inOrder = (series) => [...series].sort((a, b) => rank(a.name) - rank(b.name));
const rank = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);

export function optionOf(spec, answer) {
  const unit = unitOf(spec, answer);
  const isLong = answer.to - answer.from > DAY_S;
  const text = { color: colour("faint-text"), fontFamily: "Inter Variable, Inter Fallback, sans-serif", fontSize: 11 };
  return {
    animation: false,
    grid: { left: 58, right: spec.marks.length ? 56 : 12, top: spec.marks.length ? 40 : 10, bottom: 24 },
    tooltip: tooltipOf(unit, isLong ? dayAndTime : clockTime),
    xAxis: {
      type: "time",
      min: answer.from * 1000,
      // The last point is the beginning of the last step: the line ends where the axis ends.
      max: Math.max(answer.to - spec.step, ...spec.marks.map(({ at }) => at)) * 1000,
      axisLine: { lineStyle: { color: colour("border") } },
      axisTick: { show: false },
      axisLabel: { ...text, hideOverlap: true, customValues: labelled(answer), formatter: (ms) => (isLong ? dayAndTime : clockTime)(ms / 1000) },
    },
    yAxis: {
      type: "value",
      min: 0,
      show: answer.isKnown,
      ...(isFlat(answer) ? { max: unit.full, interval: unit.full } : { splitNumber: 3 }),
      splitLine: { lineStyle: { color: colour("grid") } },
      axisLabel: { ...text, width: 50, overflow: "truncate", formatter: unit.tick },
    },
    series: inOrder(answer.series).map((one, i) => seriesOf(spec, unit, one, i)),
  };
}

// The instants under a chart: so few that none has to be left out of the row, at even distances.
function labelled({ from, to }) {
  const every = EVERY_S.find((one) => one >= (to - from) / 5) ?? DAY_S * Math.ceil((to - from) / 5 / DAY_S);
  const first = Math.ceil(from / every);
  return Array.from({ length: Math.floor(to / every) - first + 1 }, (_, i) => (first + i) * every * 1000);
}

function seriesOf(spec, unit, { name, values }, place) {
  const tone = toneOf(name, place);
  return {
    id: name,
    name,
    type: "line",
    stack: spec.stacked ? "all" : undefined,
    color: tone,
    lineStyle: { width: spec.stacked ? 1 : 1.5 },
    areaStyle: areaOf(spec),
    symbolSize: 4,
    data: values.map(([at, value], i) => ({ value: [at, value === null ? null : value * unit.scale], symbol: isAlone(values, i) ? "circle" : "none" })),
    markLine: place === 0 ? marksOf(spec) : undefined,
  };
}

function areaOf(spec) {
  if (spec.stacked) return { opacity: 0.55 };
  return spec.lines.length === 1 && !spec.lines[0].by ? { opacity: 0.08 } : undefined;
}

// Nothing but zeros: an axis of its own choice would show fractions of a message.
const isFlat = ({ series }) => series.every(({ values }) => values.every(([, value]) => !value));

// A point between two unknown ones has no line: it needs a dot to be seen.
function isAlone(values, i) {
  const known = (point) => point !== undefined && point[1] !== null;
  return known(values[i]) && !known(values[i - 1]) && !known(values[i + 1]);
}

// Began, opened, closed: often so close together that their words need different places.
const PLACES = [{ align: "right" }, { align: "left" }, { align: "left", padding: [0, 0, 14, 0] }];

function marksOf(spec) {
  if (!spec.marks.length) return undefined;
  return {
    silent: true,
    symbol: "none",
    animation: false,
    lineStyle: { color: colour("muted-text"), type: [3, 3], width: 1 },
    label: { color: colour("muted-text"), fontSize: 11, fontFamily: "Inter Variable, sans-serif", formatter: ({ name }) => name, position: "end" },
    data: spec.marks.map(({ at, word }, i) => ({ xAxis: at * 1000, name: word, label: PLACES[i] })),
  };
}
