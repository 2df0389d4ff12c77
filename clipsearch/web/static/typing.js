// Results while a query is typed, and the address that they have once it has settled.

// Requests begin at least this far apart: a key after a pause is answered at once.
const INTERVAL_MS = 120;
const SETTLED_AFTER_MS = 800;

const content = () => document.getElementById("content");
const form = document.getElementById("search");
const input = document.getElementById("q");
const hint = document.getElementById("hint");
let lastRequest = -Infinity;
let sending, settling, request;
let isSettled = true;
let keys = 0; // answers to what was asked before the last one are out of date

/** Filters that are not set stay out of the address. */
function removeUnset(fields) {
  for (const [name, value] of [...fields]) if (value === "" || (name === "sort" && value === "relevance")) fields.delete(name);
  return fields;
}

function addressOf(path) {
  const fields = new URLSearchParams(removeUnset(new FormData(form)));
  return fields.size ? `${path}?${fields}` : path;
}

function stop() {
  request?.abort();
  clearTimeout(sending);
  clearTimeout(settling);
  hint.hidden = true;
}

async function send() {
  request?.abort();
  const own = (request = new AbortController());
  lastRequest = performance.now();
  const address = addressOf("/");
  try {
    const answer = await fetch(addressOf("/live"), { signal: own.signal });
    const text = await answer.text();
    if (!answer.ok || own.signal.aborted) return;
    show(new DOMParser().parseFromString(text, "text/html").getElementById("content"), address);
  } catch (error) {
    if (error.name !== "AbortError") console.warn(error); // the next key asks again, and Enter shows what is wrong
  }
}

function show(found, address) {
  if (!found) return;
  // What is not finished yet is no error: the pictures stay.
  hint.textContent = found.dataset.hint;
  hint.hidden = !found.dataset.hint;
  if (found.dataset.hint) return;
  found.dataset.address = address;
  // Pictures that stay are not drawn again.
  const hadFocus = content().contains(document.activeElement);
  const shown = new Map([...content().querySelectorAll(".tile img")].map((image) => [image.getAttribute("src"), image]));
  for (const image of found.querySelectorAll(".tile img")) {
    const before = shown.get(image.getAttribute("src"));
    if (before) image.replaceWith(before);
  }
  content().replaceWith(found);
  htmx.process(found);
  scrollTo(0, 0);
  document.dispatchEvent(new Event("results:typed"));
  if (hadFocus) found.querySelector(".picture")?.focus();
  if (isSettled) settle();
}

/** The query that is shown gets its place in the history, once. */
function settle() {
  clearTimeout(settling);
  isSettled = true;
  const found = content();
  const { address, isSettled: isDone } = found.dataset;
  if (address === undefined || isDone) return;
  found.dataset.isSettled = "1";
  if (address !== location.pathname + location.search) {
    // As htmx does it, which then loads the page again on the way back.
    if (!history.state?.htmx) history.replaceState({ htmx: true }, "", location.href);
    history.pushState({ htmx: true }, "", address);
  }
  document.title = found.dataset.q ? `${found.dataset.q} · clipsearch` : "clipsearch";
  const suggestions = found.querySelector(".suggestions");
  if (suggestions) htmx.trigger(suggestions, "settled");
  document.dispatchEvent(new Event("results:settled"));
  tell();
}

/** Screen readers are told once what has been found, not with every key. */
function tell() {
  const summary = content()?.querySelector(".summary")?.textContent.trim().replace(/\s+/g, " ") ?? "";
  const said = document.getElementById("said");
  if (said) said.textContent = summary;
}

function typed() {
  keys += 1;
  clearTimeout(sending);
  clearTimeout(settling);
  isSettled = false;
  sending = setTimeout(send, Math.max(0, lastRequest + INTERVAL_MS - performance.now()));
  settling = setTimeout(settle, SETTLED_AFTER_MS);
}

if (form) {
  input.addEventListener("input", (event) => event.isComposing || typed());
  input.addEventListener("compositionend", typed);
  input.addEventListener("blur", () => isSettled || settle());
  // Enter: what is shown already is not searched again.
  form.addEventListener(
    "submit",
    (event) => {
      if (content()?.dataset.address === addressOf("/")) {
        event.preventDefault();
        event.stopImmediatePropagation();
        stop();
        settle();
      }
    },
    { capture: true },
  );
}
document.addEventListener("htmx:config:request", (event) => {
  const { method, body } = event.detail.ctx.request;
  if (method === "GET" && body instanceof FormData) removeUnset(body);
});
document.addEventListener("htmx:before:history:update", (event) => {
  const { history: step } = event.detail;
  if (step.path === location.pathname + location.search) step.type = "replace";
});
document.addEventListener("htmx:before:request", (event) => {
  if (!form || event.detail.ctx.target?.id !== "content") return;
  stop();
  event.detail.ctx.keys = keys;
});
document.addEventListener("htmx:before:swap", (event) => {
  if ((event.detail?.ctx?.keys ?? keys) !== keys) event.preventDefault();
});
document.addEventListener("htmx:after:swap", (event) => event.detail?.ctx?.target?.id === "content" && tell());
