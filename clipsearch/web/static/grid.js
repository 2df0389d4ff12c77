// The grid of pictures: its rows, the next ones, and moving about in it with the keyboard.

const content = () => document.getElementById("content");

function lay(root) {
  for (const image of root.querySelectorAll(".tile img")) {
    // Very long ones are cut, as a row of their own would be a hair high. `image.width` would lay out the page each time.
    const ratio = Math.min(3, Math.max(0.5, image.getAttribute("width") / image.getAttribute("height")));
    image.closest(".tile").style.setProperty("--ratio", ratio.toFixed(3));
  }
}

// The next pictures are prefetched before they are reached.
const ahead = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        ahead.unobserve(entry.target);
        htmx.trigger(entry.target, "near");
      }
    }
  },
  { rootMargin: "1500px" },
);

function prepare(root = document) {
  lay(root);
  for (const next of document.querySelectorAll(".next")) ahead.observe(next);
}

prepare();
document.addEventListener("results:typed", () => prepare());
// A thumb goes with the pictures that it reorders: the focus moves to where its mark can be undone.
let marking = "";
document.addEventListener("click", (event) => {
  marking = event.target.closest?.("a.mark")?.dataset.mark ?? "";
});
document.addEventListener("htmx:after:swap", () => {
  prepare();
  const undo = marking && document.getElementById(`mark-${marking}`);
  if (undo && !document.activeElement?.closest("#content, #q")) {
    undo.focus({ preventScroll: true });
    marking = "";
  }
  // A link can have changed the query; what is being typed is left alone.
  const input = document.getElementById("q");
  if (input && content() && document.activeElement !== input) input.value = content().dataset.q;
  const asWords = document.querySelector("[name=text]");
  if (asWords && content()) asWords.checked = Boolean(content().dataset.text);
});
// Another order applies at once; without a script the search button applies it.
document.addEventListener("change", (event) => {
  if (event.target.closest?.(".sorting")) document.getElementById("search").requestSubmit();
});
window.addEventListener("pageshow", () => prepare());

document.addEventListener(
  "error",
  (event) => {
    if (event.target instanceof HTMLImageElement) event.target.closest(".tile")?.classList.add("missing");
  },
  true,
);

// The others of a stack are fetched once, and shown and hidden from then on.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button.stack");
  if (!button) return;
  const isOpen = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", isOpen);
  for (const tile of document.querySelectorAll(`[data-stack-of="${button.dataset.stack}"]`)) tile.hidden = !isOpen;
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-keys]") || event.target.id === "keys") {
    const keys = document.getElementById("keys");
    if (keys.open) keys.close();
    else keys.showModal();
  }
});

function pictures() {
  return [...document.querySelectorAll(".grid .tile:not([hidden]) .picture")];
}

/** The picture above or below: the nearest of those in the next row. */
function inRow(all, from, down) {
  const here = from.getBoundingClientRect();
  const middle = here.left + here.width / 2;
  const others = all
    .map((each) => ({ each, box: each.getBoundingClientRect() }))
    .filter(({ box }) => (down ? box.top >= here.bottom - 1 : box.bottom <= here.top + 1));
  if (!others.length) return undefined;
  const edge = down ? Math.min(...others.map(({ box }) => box.top)) : Math.max(...others.map(({ box }) => box.top));
  return others
    .filter(({ box }) => Math.abs(box.top - edge) < 2)
    .sort((a, b) => Math.abs(a.box.left + a.box.width / 2 - middle) - Math.abs(b.box.left + b.box.width / 2 - middle))[0]?.each;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const isTyping = event.target.closest("input:not(.pick), select, textarea, video");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    document.getElementById("q")?.select();
    return;
  }
  if (event.key === "?" && !isTyping) {
    event.preventDefault();
    document.getElementById("keys")?.showModal();
    return;
  }
  const tile = event.target.closest(".tile");
  if (!tile) {
    // From nowhere in particular, sideways; up and down scroll.
    if (event.target === document.body && ["ArrowRight", "ArrowLeft"].includes(event.key)) {
      const top = document.querySelector(".top")?.getBoundingClientRect().bottom ?? 0;
      pictures().find((each) => each.getBoundingClientRect().top >= top)?.focus();
    }
    if (event.key === "ArrowDown" && event.target.id === "q") {
      event.preventDefault();
      pictures()[0]?.focus();
    }
    return;
  }
  const all = pictures();
  const from = tile.querySelector(".picture");
  if (!from) return;
  const place = all.indexOf(from);
  const to = {
    ArrowRight: () => all[place + 1],
    ArrowLeft: () => all[place - 1],
    ArrowDown: () => inRow(all, from, true),
    ArrowUp: () => inRow(all, from, false) ?? document.getElementById("q"),
    Home: () => all[0],
    End: () => all.at(-1),
    Escape: () => (document.body.classList.contains("selecting") ? undefined : document.getElementById("q")),
  }[event.key]?.();
  if (to) {
    event.preventDefault();
    to.focus();
    to.scrollIntoView?.({ block: "nearest" });
  }
});
