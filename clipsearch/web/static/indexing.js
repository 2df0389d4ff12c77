// Folders are indexed from here, and how far that has come.

const part = (name) => document.getElementById(`indexing${name ? `-${name}` : ""}`);
let news = null;
let isRunning = false;
let hasRun = false;

function show(status) {
  const bar = part("progress");
  bar.hidden = !isRunning;
  if (status.to_do) {
    bar.max = status.to_do;
    bar.value = status.done;
  } else {
    bar.removeAttribute("value");
  }
  // A run that is no job of a page, as when the server watches its folders, goes on by itself: a job waits for it.
  part("stop").hidden = !status.may_stop;
  part("start").disabled = status.may_stop;
  if (part("again")) part("again").disabled = status.may_stop;
  const count = status.to_do ? `${status.done.toLocaleString("en")} of ${status.to_do.toLocaleString("en")}` : "Looking for pictures …";
  const heading = { running: status.to_do ? `Indexing: ${count}` : "Indexing …", failed: "Indexing failed" }[status.state];
  // The dialog may be closed: the button that opens it says how far it is.
  document.getElementById("open-indexing").textContent = heading ?? (hasRun ? "Indexing has ended" : "Add pictures");
  const ends = { running: count, done: "Done: ", stopped: "Stopped: ", failed: "Failed: ", idle: "" };
  part("message").textContent = isRunning ? ends.running : ends[status.state] + status.message;
  part("message").classList.toggle("problem", status.state === "failed");
  part("skipped").hidden = !status.skipped.length;
  part("skipped").replaceChildren(
    ...status.skipped.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }),
  );
}

function listen() {
  news?.close();
  news = new EventSource("/api/index/events");
  news.onmessage = (event) => {
    const status = JSON.parse(event.data);
    isRunning = status.state === "running";
    hasRun ||= isRunning;
    if (status.state !== "idle" || hasRun) show(status);
    if (!isRunning) news.close();
  };
}

async function ask(method, body) {
  const answer = await fetch("/api/index", {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const said = await answer.json();
  if (answer.ok) {
    isRunning = said.state === "running";
    hasRun ||= isRunning;
    show(said);
    listen();
  } else {
    part("message").textContent = said.detail;
    part("message").classList.add("problem");
  }
}

document.addEventListener("click", (event) => {
  if (event.target.id === "open-indexing") {
    part().showModal();
    listen();
  }
  if (event.target.id === "indexing-close") part().close();
  if (event.target.id === "indexing-stop") ask("DELETE");
  if (event.target.id === "indexing-again") ask("POST", { folder: "" });
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "indexing-form") return;
  event.preventDefault();
  ask("POST", { folder: part("folder").value.trim() });
});
part()?.addEventListener("close", () => {
  if (isRunning) return; // it is listened to further on
  news?.close();
  if (hasRun) window.location.reload(); // there may be other pictures, cameras and folders now
});
if (document.getElementById("open-indexing")?.dataset.running !== undefined) listen();
