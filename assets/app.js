// What every page runs. Charts, the heavy part, are loaded only where there are some.
import "./live.js";
import "./copy.js";

if (document.querySelector("[data-chart]")) {
  const { startCharts } = await import("./charts.js");
  startCharts();
}
