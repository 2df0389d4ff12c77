// One picture: its dialog, the map of where words were found, the whole screen.

const viewer = document.querySelector("script[data-viewer]")?.dataset.viewer;
const dialog = () => document.getElementById("picture");
let opener = null; // the tile that the dialog is about

function tiles() {
  return [...document.querySelectorAll(".grid .picture")];
}

function currentTile() {
  const id = dialog()?.querySelector("#detail")?.dataset.id;
  return tiles().find((tile) => tile.dataset.id === id) ?? opener;
}

function step(by) {
  const all = tiles();
  const next = all[all.indexOf(currentTile()) + by];
  if (!next) return;
  opener = next;
  next.scrollIntoView({ block: "nearest" });
  htmx.trigger(next, "click");
}

function addBar(body) {
  const bar = document.createElement("div");
  bar.className = "dialog-bar";
  for (const [label, text, action] of [
    ["Picture before", "‹", () => step(-1)],
    ["Next picture", "›", () => step(1)],
    ["Close", "×", () => dialog().close()],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button quiet";
    button.textContent = text;
    button.ariaLabel = label;
    button.addEventListener("click", action);
    bar.append(button);
  }
  body.prepend(bar);
}

document.addEventListener("htmx:after:swap", () => {
  const body = document.getElementById("picture-body");
  if (!body?.querySelector("#detail")) return;
  if (!body.querySelector(".dialog-bar")) addBar(body);
  const box = dialog();
  if (!box.open) {
    box.showModal();
    box.addEventListener(
      "close",
      () => {
        body.replaceChildren();
        currentTileFocus();
      },
      { once: true },
    );
  }
  box.ariaLabel = body.querySelector("h2")?.textContent ?? "A picture";
});

function currentTileFocus() {
  // "close" comes a moment after the dialog has gone: who types by then is left alone.
  if (opener?.isConnected && !document.activeElement?.closest("input, select, textarea")) opener.focus();
}

document.addEventListener("click", async (event) => {
  const tile = event.target.closest?.(".tile .picture, .strip a");
  if (tile?.matches(".picture")) opener = tile;
  if (event.target === dialog()) dialog().close(); // beside it
  // A link that leads to other pictures closes what is above them.
  if (event.target.closest?.("#picture a[hx-target='#content']")) dialog().close();
  const copied = event.target.closest?.("[data-copy], [data-copy-of]");
  if (copied) {
    const source = document.getElementById(copied.dataset.copyOf);
    try {
      await navigator.clipboard.writeText(source ? source.textContent : copied.dataset.copy);
      copied.textContent = "Copied";
    } catch {
      if (source) getSelection()?.selectAllChildren(source);
      else copied.textContent = copied.dataset.copy;
    }
  }
  const revealed = event.target.closest?.("[data-reveal]");
  if (revealed) {
    const note = document.getElementById("reveal-note");
    note.textContent = "";
    const answer = await fetch(`/api/pictures/${revealed.dataset.reveal}/reveal`, { method: "POST" });
    if (!answer.ok) note.textContent = (await answer.json()).detail;
  }
  const heat = event.target.closest?.(".heat-switch");
  if (heat) showHeat(heat);
  const zoom = event.target.closest?.(".zoom");
  if (zoom && viewer && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    openViewer(zoom);
  }
});

document.addEventListener("keydown", (event) => {
  // In a player the arrows seek, and in a strip they go along it.
  if (!dialog()?.open || document.querySelector(".pswp--open") || event.target.closest("input, select, video, .parts")) return;
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});

async function showHeat(button) {
  const detail = button.closest("#detail");
  const image = detail.querySelector(".heat");
  const note = detail.querySelector(".heat-note");
  const isOn = button.ariaPressed === "true";
  for (const other of detail.querySelectorAll(".heat-switch")) other.ariaPressed = "false";
  image.hidden = true;
  note.textContent = "";
  if (isOn) return;
  button.ariaPressed = "true";
  note.textContent = "Looking …";
  const part = detail.dataset.part;
  const answer = await fetch(button.dataset.heat + (part ? `&part=${encodeURIComponent(part)}` : ""));
  if (button.ariaPressed !== "true") return;
  if (!answer.ok) {
    note.textContent = (await answer.json()).detail;
    button.ariaPressed = "false";
    return;
  }
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(await answer.blob());
  image.hidden = false;
  const [across, down] = (answer.headers.get("X-Heat-Peak") ?? "").split(",").map((share) => Math.round(100 * share));
  note.textContent = `Best ${across} % from the left, ${down} % from the top.`;
}

async function openViewer(zoom) {
  const { default: PhotoSwipe } = await import(viewer);
  const all = tiles();
  const here = all.indexOf(currentTile());
  // Of the open one, what is shown of it: another page than the one that was found, or the whole of a detail.
  const shown = here < 0 ? [zoom] : all.map((tile, place) => (place === here && dialog()?.open ? zoom : tile));
  const swipe = new PhotoSwipe({
    dataSource: shown.map((each) => {
      const image = each.querySelector("img");
      const width = Number(image.getAttribute("width"));
      const height = Number(image.getAttribute("height"));
      const scale = Math.min(1, 2048 / Math.max(width, height));
      const small = image.currentSrc || image.src;
      return {
        src: small.includes("size=large") ? small : `${small}&size=large`,
        msrc: small,
        width: Math.round(width * scale),
        height: Math.round(height * scale),
        alt: each.ariaLabel ?? "",
      };
    }),
    index: Math.max(0, here),
    appendToEl: dialog()?.open ? dialog() : document.body,
    bgOpacity: 1,
    returnFocus: true,
  });
  // The dialog listens for the same key.
  swipe.on("keydown", (event) => event.originalEvent.key === "Escape" && event.originalEvent.preventDefault());
  swipe.init();
}
