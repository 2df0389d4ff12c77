// The parts of one picture: the player of a film at a scene, and the strip of scenes or pages.

const strip = (detail) => [...detail.querySelectorAll(".parts a")];
let chosen; // the part that was chosen in the strip and is being loaded

function markPart(detail, link) {
  const before = detail.querySelector(".parts [aria-current]");
  if (before === link) return;
  before?.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
  showInStrip(link);
  detail.dataset.part = link.dataset.part;
  hideHeat(detail);
  const where = detail.querySelector(".where");
  if (where) where.textContent = ` · ${link.ariaLabel}`;
}

function showInStrip(link) {
  const list = link.closest(".parts");
  const place = link.getBoundingClientRect().left - list.getBoundingClientRect().left + list.scrollLeft;
  list.scrollLeft = place - (list.clientWidth - link.clientWidth) / 2;
}

// The heat map is one of the part that was shown.
function hideHeat(detail) {
  detail.querySelector(".heat").hidden = true;
  for (const button of detail.querySelectorAll(".heat-switch")) button.ariaPressed = "false";
  const note = detail.querySelector(".heat-note");
  if (note) note.textContent = "";
}

// A film that can't be played is shown by a picture of the scene.
function showPoster(video) {
  const detail = video.closest("#detail");
  const image = detail.querySelector(".poster");
  const scene = detail.querySelector(".parts [aria-current]");
  const part = scene ? `&part=${encodeURIComponent(scene.dataset.part)}` : "";
  video.hidden = true;
  image.src = image.dataset.src + part;
  image.hidden = false;
  const note = detail.querySelector(".unplayable");
  if (!note.textContent) note.textContent = note.dataset.text;
}

function isUnplayable(video) {
  return video.error !== null || (video.readyState >= HTMLMediaElement.HAVE_METADATA && video.videoWidth === 0);
}

function checkPlayers() {
  for (const video of document.querySelectorAll("#detail video")) if (isUnplayable(video)) showPoster(video);
  const current = document.querySelector("#detail .parts [aria-current]");
  if (!current) return;
  showInStrip(current);
  // Other fragments may come first, while the part that was shown before is still the current one.
  if (chosen !== current.dataset.part) return;
  current.focus({ preventScroll: true });
  chosen = undefined;
}

// Events of media don't bubble.
for (const name of ["error", "loadedmetadata"]) {
  document.addEventListener(
    name,
    (event) => event.target.matches?.("video[poster]") && isUnplayable(event.target) && showPoster(event.target),
    { capture: true },
  );
}

document.addEventListener("playing", (event) => hideHeat(event.target.closest("#detail")), { capture: true });

document.addEventListener(
  "timeupdate",
  (event) => {
    const detail = event.target.closest("#detail");
    if (event.target.paused || !detail) return;
    const scenes = strip(detail);
    const now = event.target.currentTime;
    const shown = scenes.filter((link) => Number(link.dataset.second) <= now + 0.05).pop() ?? scenes[0];
    if (shown) markPart(detail, shown);
  },
  { capture: true },
);

document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".parts a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.dataset.second === undefined) {
    chosen = link.dataset.part;
    return;
  }
  event.preventDefault();
  const detail = link.closest("#detail");
  const video = detail.querySelector("video");
  markPart(detail, link);
  if (video.hidden) showPoster(video);
  else video.currentTime = Number(link.dataset.second);
});

document.addEventListener("keydown", (event) => {
  const link = event.target.closest?.(".parts a");
  if (!link) return;
  const links = strip(link.closest("#detail"));
  const here = links.indexOf(link);
  const next = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: links.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  links[next]?.focus();
});

document.addEventListener("htmx:after:swap", checkPlayers);
checkPlayers();
