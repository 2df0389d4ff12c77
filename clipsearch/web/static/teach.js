// Marked pictures become a concept, which any query can name: @rex.
const numbers = (text) => text.split(",").filter(Boolean).map(Number);

document.addEventListener("submit", async (event) => {
  const form = event.target.closest?.("form.teach");
  if (!form) return;
  event.preventDefault();
  const said = form.querySelector("[role=status]");
  const name = form.elements.name.value.trim().replace(/^@/, "");
  const { more, less, words } = form.dataset;
  const lesson = { name, positives: numbers(more), negatives: numbers(less), words: words || null };
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("/api/concepts", { method: "POST", headers, body: JSON.stringify(lesson) });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    location.assign(`/?q=${encodeURIComponent(`@${name}`)}`);
  } catch (error) {
    said.textContent = error.message;
  }
});
