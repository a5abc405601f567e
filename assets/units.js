// How the values of one chart are written: one unit for the whole chart, so that they compare.
import { compact, duration, share } from "./format.js";

const WRITERS = { ratio: share, s: duration, count: compact };

export function unitOf(spec, answer) {
  if (spec.unit !== "per_second") return { write: WRITERS[spec.unit] };
  const most = Math.max(0, ...answer.series.flatMap((one) => one.values.map(([, value]) => value ?? 0)));
  const [factor, unit] = most >= 1 || most === 0 ? [1, "/s"] : most * 60 >= 1 ? [60, "/min"] : [3600, "/h"];
  return { write: (value) => compact(value * factor) + unit };
}
