// The film inside of a photograph: it plays in the photograph's place, once, and the photograph comes back.

function play(link) {
  const photo = link.closest(".stage").querySelector(".zoom");
  const video = document.createElement("video");
  video.className = "shown";
  video.controls = video.playsInline = video.autoplay = true;
  video.ariaLabel = link.ariaLabel;
  const player = document.createElement("div");
  player.className = "player";
  player.append(video);
  const stop = (note) => {
    player.remove();
    photo.hidden = false;
    link.nextElementSibling.textContent = note;
    link.textContent = "Play its film";
  };
  video.addEventListener("ended", () => stop(""));
  video.addEventListener("error", () => stop(link.nextElementSibling.dataset.text));
  // Sound without pictures: the browser has no decoder for them.
  video.addEventListener("loadedmetadata", () => video.videoWidth || stop(link.nextElementSibling.dataset.text));
  player.addEventListener("stop", () => stop(""));
  video.src = link.href;
  link.nextElementSibling.textContent = "";
  link.textContent = "Show the photograph";
  photo.hidden = true;
  photo.before(player);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a.motion");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const player = link.closest(".stage").querySelector(".player");
  if (player) player.dispatchEvent(new Event("stop"));
  else play(link);
});
