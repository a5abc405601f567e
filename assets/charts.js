// Draws every [data-chart] from /api/v1/timeseries and keeps it up to date without redrawing it anew.
import { init, use } from "echarts/core";
import { LineChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
import { ask, rangeOf } from "./timeseries.js";
import { optionOf } from "./chart-option.js";
import { showLegend } from "./legend.js";

use([LineChart, GridComponent, MarkLineComponent, TooltipComponent, CanvasRenderer]);

const REFRESH_MS = 15_000; // late lines still change what is drawn
const charts = new WeakMap(); // figure -> { echart, spec, answer, at }

export function startCharts() {
  refreshAll();
  document.addEventListener("figureschange", refreshAll);
  document.addEventListener("themechange", redrawAll);
  new ResizeObserver(resizeAll).observe(document.querySelector("main"));
}

const figures = () => document.querySelectorAll("[data-chart]");
const refreshAll = () => figures().forEach((figure) => isDue(figure) && refresh(figure));
const resizeAll = () => figures().forEach((figure) => charts.get(figure)?.echart.resize());
const redrawAll = () => figures().forEach((figure) => charts.has(figure) && draw(figure));

function isDue(figure) {
  const drawn = charts.get(figure);
  if (!drawn) return true;
  const { to } = rangeOf(JSON.parse(figure.dataset.chart));
  return to !== drawn.answer.to || performance.now() - drawn.at > REFRESH_MS;
}

async function refresh(figure) {
  const spec = JSON.parse(figure.dataset.chart);
  const note = figure.querySelector("[data-note]");
  try {
    const answer = await ask(spec);
    if (!charts.has(figure)) charts.set(figure, { echart: create(figure) });
    Object.assign(charts.get(figure), { spec, answer, at: performance.now() });
    draw(figure);
    note.textContent = answer.isKnown ? "" : "Unknown: nothing was reported in this time";
  } catch (error) {
    // Lines that are drawn stay; the notice at the foot says how old they are.
    if (!charts.has(figure)) note.textContent = `Not loaded: ${error.message}`;
  }
}

function create(figure) {
  return init(figure.querySelector("[data-canvas]"), null, { renderer: "canvas" });
}

function draw(figure) {
  const { echart, spec, answer } = charts.get(figure);
  echart.setOption(optionOf(spec, answer), { replaceMerge: ["series"] });
  showLegend(figure, spec, answer);
}
