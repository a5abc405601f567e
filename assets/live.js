// Keeps a page up to date: htmx asks for the page's own address, and what changed is morphed in.
import htmx from "htmx.org/dist/htmx.esm.js";

htmx.config.includeIndicatorCSS = false;
htmx.config.history = false;
// An error's page must not replace figures: they stay, marked with their age.
htmx.config.noSwap = [204, 304, "4xx", "5xx"];
htmx.config.defaultTimeout = 10_000;

const notice = document.querySelector("[data-stale-notice]");
const text = document.querySelector("[data-stale-text]");

document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden) event.preventDefault(); // nobody looks
});
document.addEventListener("htmx:after:swap", ({ detail }) => {
  if (detail.ctx.response?.status >= 400) return; // nothing was swapped
  notice.hidden = true;
  const title = document.querySelector("[data-title]")?.dataset.title;
  if (title) document.title = title;
  document.dispatchEvent(new CustomEvent("figureschange"));
});
document.addEventListener("htmx:response:error", showStale);
document.addEventListener("htmx:error", showStale);
document.addEventListener("visibilitychange", () => {
  const live = document.querySelector("[data-live]");
  if (live && !document.hidden) htmx.trigger(live, "every");
});

function showStale() {
  const asOf = document.querySelector(".as-of")?.textContent.trim();
  text.textContent = asOf ? `Not updated. ${asOf}` : "Not updated: the server does not answer";
  notice.hidden = false;
}
