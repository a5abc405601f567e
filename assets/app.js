// What every page runs. Charts, the heavy part, are loaded only where there are some.
import "./live.js";
import "./copy.js";

let isLoaded = false;

async function loadCharts() {
  if (isLoaded || !document.querySelector("[data-chart]")) return;
  isLoaded = true;
  const { startCharts } = await import("./charts.js");
  startCharts();
}

loadCharts();
document.addEventListener("figureschange", loadCharts); // the first message brings the first charts
