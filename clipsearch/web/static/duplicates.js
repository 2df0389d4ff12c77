// Groups of duplicates: what is kept of them, and the list of the others. Nothing is deleted.

const page = document.getElementById("duplicates");
const { result, kind, folder, id } = page.dataset;
const store = `duplicates-${result}`;
// Files whose choice is not the suggested one; those of pages that are not loaded are as suggested.
const changed = new Set(JSON.parse(sessionStorage.getItem(store) ?? "[]"));
const said = (name) => document.getElementById(name);

async function ask(path, more = {}) {
  const body = { result, kind, folder, id: Number(id), changed: [...changed], ...more };
  const answer = await fetch(`/api/duplicates/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer;
}

function choose() {
  for (const box of page.querySelectorAll("[data-mark]")) {
    box.checked = (box.dataset.spare === undefined) !== changed.has(box.dataset.mark);
  }
}

const files = (number) => `${number.toLocaleString("en")} file${number === 1 ? "" : "s"}`;
const size = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(0)} KB`);
let asked = 0;

async function count() {
  if (!result || !said("marked")) return;
  const number = ++asked;
  let problem = "";
  try {
    const marked = await (await ask("marked")).json();
    if (number !== asked) return;
    said("marked").textContent = `${files(marked.files)} in the list${page.dataset.partial === undefined ? "" : " so far"}, ${size(marked.size_bytes)}`;
  } catch (error) {
    if (number !== asked) return;
    problem = error.message;
  }
  said("marked-problem").textContent = problem;
}

function keep() {
  sessionStorage.setItem(store, JSON.stringify([...changed]));
  said("taken").textContent = "";
  count();
}

async function take(how) {
  const answer = await ask("list", { end: how === "nul" ? "nul" : "line" });
  const leftOut = Number(answer.headers.get("X-Left-Out"));
  const missing = leftOut ? ` ${files(leftOut)} left out: missing by now, or nothing kept of their group is there.` : "";
  const list = await answer.blob();
  if (how === "copy") {
    await navigator.clipboard.writeText(await list.text());
    return `Copied.${missing}`;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(list);
  link.download = how === "nul" ? "duplicates-0.txt" : "duplicates.txt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  return `${link.download} is saved.${missing}`;
}

async function add(album) {
  const found = await (await ask("album", { album })).json();
  const rest = found.left_out ? ` Not ${found.left_out} of which an identical file is kept: take the list for those.` : "";
  return `${found.added.toLocaleString("en")} added to the album ${found.album}.${rest}`;
}

async function report(work) {
  try {
    said("taken").textContent = await work;
  } catch (error) {
    said("taken").textContent = error.message;
  }
}

page.addEventListener("change", (event) => {
  const { mark } = event.target.dataset;
  if (!mark) return;
  if (!changed.delete(mark)) changed.add(mark);
  keep();
});
document.addEventListener("click", async (event) => {
  const how = event.target.closest?.("[data-take]")?.dataset.take;
  if (how) report(take(how));
  const only = event.target.closest?.("[data-only]")?.dataset;
  if (only) {
    // As suggested, all of the group are kept.
    const [group] = only.only.split(".");
    changed.delete(only.only);
    for (let place = 1; place < Number(only.files); place += 1) changed.add(`${group}.${place}`);
    choose();
    keep();
  }
  if (event.target.id === "suggested") {
    changed.clear();
    choose();
    keep();
  }
  if (event.target.id === "look-again") {
    await fetch("/api/duplicates", { method: "POST" });
    window.location.reload();
  }
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "marked-album") return;
  event.preventDefault();
  report(add(event.target.elements.album.value));
});
document.addEventListener("htmx:after:swap", () => {
  const found = document.getElementById("progress").dataset.reload;
  // What was found since is shown at once, unless that would disturb.
  const isBusy = changed.size || document.querySelector("dialog[open], .marked-bar details[open]");
  if (found === "always" || (found && !isBusy)) window.location.reload();
  else choose();
});
window.addEventListener("pageshow", choose);
choose();
count();
