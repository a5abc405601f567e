// How the values of one chart are written: one unit for the whole chart, so that they compare.
// `scale` turns a value into that unit, so that ticks are round in it; `tick` writes such a value on
// the axis, `write` a value as it came.
import { compact, duration, share, threeDigits } from "./format.js";

const NBSP = "\u00a0";

export function unitOf(spec, answer) {
  const most = Math.max(0, ...answer.series.flatMap((one) => one.values.map(([, value]) => value ?? 0)));
  return UNITS[spec.unit](most);
}

const UNITS = {
  count: () => ({ scale: 1, full: 1, tick: compact, write: compact }),
  ratio: () => ({ scale: 100, full: 100, tick: (value) => `${threeDigits(value)}${NBSP}%`, write: share }),
  s: (most) => {
    const [scale, unit] = most < 1 ? [1000, "ms"] : most < 120 ? [1, "s"] : most < 7200 ? [1 / 60, "min"] : [1 / 3600, "h"];
    return { scale, full: 1, tick: (value) => `${threeDigits(value)}${NBSP}${unit}`, write: duration };
  },
  per_second: (most) => {
    const [scale, unit] = most >= 1 || most === 0 ? [1, "/s"] : most * 60 >= 1 ? [60, "/min"] : [3600, "/h"];
    return { scale, full: 1, tick: (value) => compact(value) + unit, write: (value) => compact(value * scale) + unit };
  },
};
