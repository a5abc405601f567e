// Copy buttons beside snippets; without this script the text can still be selected.
const SHOWN_MS = 2000;

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const text = button.closest(".snippet").querySelector("code").textContent;
  const word = button.querySelector("[data-copy-word]");
  try {
    await navigator.clipboard.writeText(text);
    word.textContent = "Copied";
  } catch {
    word.textContent = "Select it";
  }
  setTimeout(() => { word.textContent = "Copy"; }, SHOWN_MS);
});
