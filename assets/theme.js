// Light or dark: the system's choice until a person chooses; the choice stays in this browser.
const KEY = "streamgauge-theme";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage may be forbidden; then the system decides
  }
}

function current() {
  return root.dataset.theme ?? (system.matches ? "dark" : "light");
}

function announce() {
  document.dispatchEvent(new CustomEvent("themechange"));
}

function choose(theme) {
  root.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // it then holds for this page only
  }
  announce();
}

const before = stored();
if (before === "dark" || before === "light") root.dataset.theme = before;
system.addEventListener("change", announce);

document.addEventListener("DOMContentLoaded", () => {
  const button = document.querySelector("[data-theme-toggle]");
  button.hidden = false;
  const name = () => button.setAttribute("aria-pressed", String(current() === "dark"));
  name();
  document.addEventListener("themechange", name);
  button.addEventListener("click", () => choose(current() === "dark" ? "light" : "dark"));
});
