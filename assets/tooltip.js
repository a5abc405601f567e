// The tooltip as DOM nodes: names stay text, and no inline style is needed.
export function tooltipOf(unit, writeTime) {
  return {
    trigger: "axis",
    confine: true,
    transitionDuration: 0,
    className: "chart-tip-frame",
    padding: 0,
    borderWidth: 0,
    backgroundColor: "transparent",
    extraCssText: "box-shadow:none",
    axisPointer: { type: "line", lineStyle: { width: 1, type: "solid" } },
    formatter: (points) => tip(points, unit, writeTime),
  };
}

function tip(points, unit, writeTime) {
  const box = element("div", "chart-tip");
  box.append(element("p", "chart-tip-time", `${writeTime(points[0].value[0] / 1000)} UTC`));
  for (const { seriesName, value, color } of [...points].reverse()) {
    const row = element("p", "chart-tip-row");
    const swatch = element("span", "swatch");
    swatch.style.background = color;
    row.append(swatch, element("span", "chart-tip-name", seriesName), element("b", "", value[1] === null ? "unknown" : unit.write(value[1] / unit.scale)));
    box.append(row);
  }
  return box;
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
