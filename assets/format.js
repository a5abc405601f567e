// Numbers as streamgauge/web/format.py writes them.
const NBSP = "\u00a0";
const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

export function threeDigits(value) {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)) + 1e-9));
  return String(Number(value.toFixed(Math.min(digits, 3))));
}

export function compact(value) {
  for (const [scale, prefix] of PREFIXES) {
    if (Math.abs(value) >= scale * 0.9995) return threeDigits(value / scale) + prefix;
  }
  return threeDigits(value);
}

export function duration(seconds) {
  if (seconds < 0.9995) return `${threeDigits(seconds * 1000)}${NBSP}ms`;
  if (seconds < 59.5) return `${threeDigits(seconds)}${NBSP}s`;
  for (const [size, unit, smaller, smallerUnit] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    const rounded = Math.round(seconds / smaller);
    const whole = Math.floor(rounded / (size / smaller));
    const rest = rounded % (size / smaller);
    if (whole) return `${whole}${NBSP}${unit}${rest && whole < 100 ? `${NBSP}${rest}${NBSP}${smallerUnit}` : ""}`;
  }
  return `1${NBSP}min`;
}

export function share(ratio) {
  const percent = ratio * 100;
  if (percent > 0 && percent < 0.01) return `<0.01${NBSP}%`;
  const digits = percent === 0 || percent === 100 ? 0 : percent >= 10 && percent < 90 ? 1 : 2;
  return `${percent.toFixed(digits)}${NBSP}%`;
}

export const clockTime = (at) => new Date(at * 1000).toISOString().slice(11, 16);
export const dayAndTime = (at) => {
  const iso = new Date(at * 1000).toISOString();
  return `${iso.slice(5, 10)} ${iso.slice(11, 16)}`;
};
