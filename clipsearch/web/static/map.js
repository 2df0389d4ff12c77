// The map of meaning. Its points are written into the canvas pixel by pixel: 100,000 take some milliseconds without a
// GPU, too. Names and thumbnails are drawn over them.

const canvas = document.getElementById("map");
const pen = canvas?.getContext("2d");
const MOST_THUMBNAILS = 60, MOST_KEPT = 400, AT_ONCE = 6, CELL = 92, THUMBNAIL = 84;
const SEEN_FOR_THUMBNAILS = 500, MOST_ZOOM = 4000, NEAR = 14;

const view = { x: 0.5, y: 0.5, zoom: 1 };
const points = { count: 0, ids: null, xs: null, ys: null, regions: null, years: null, colours: null };
let regions = [], buffer = null, image = null, dots = 3, isDue = false, box = null, seen = [], shown = new Map();

// --- what is shown where ---

const ratio = () => Math.min(2, window.devicePixelRatio || 1);
const side = () => Math.min(canvas.clientWidth, canvas.clientHeight) * view.zoom;
const toX = (x) => (x - view.x) * side() + canvas.clientWidth / 2;
const toY = (y) => (y - view.y) * side() + canvas.clientHeight / 2;
const fromX = (x) => (x - canvas.clientWidth / 2) / side() + view.x;
const fromY = (y) => (y - canvas.clientHeight / 2) / side() + view.y;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function zoomBy(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const at = [fromX(x), fromY(y)];
  view.zoom = clamp(view.zoom * factor, 0.7, MOST_ZOOM);
  move(at[0] - fromX(x), at[1] - fromY(y));
}

function move(x, y) {
  view.x = clamp(view.x + x, -0.2, 1.2);
  view.y = clamp(view.y + y, -0.2, 1.2);
  later();
}

function showAll() {
  Object.assign(view, { x: 0.5, y: 0.5, zoom: 1 });
  later();
}

function queryOf(left, top, right, bottom) {
  const text = [left, top, right, bottom].map((value) => Number(clamp(value, 0, 1).toFixed(6))).join(",");
  return `/?q=${encodeURIComponent(`map:${text}`)}`;
}

const inView = () => queryOf(fromX(0), fromY(0), fromX(canvas.clientWidth), fromY(canvas.clientHeight));

// The place is part of the address, so that one comes back to it.
let remembering = 0;
function remember() {
  document.getElementById("map-inside").href = inView();
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const place = [view.x.toFixed(5), view.y.toFixed(5), view.zoom.toFixed(2)].join(",");
    history.replaceState(null, "", view.zoom === 1 && view.x === 0.5 && view.y === 0.5 ? location.pathname : `#${place}`);
  }, 300);
}

function recall() {
  const [x, y, zoom] = location.hash.slice(1).split(",").map(Number);
  if (zoom > 0 && Number.isFinite(x + y + zoom)) Object.assign(view, { x, y, zoom: clamp(zoom, 0.7, MOST_ZOOM) });
}

// --- colours ---

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

function packed(hue, saturation, lightness) {
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (lightness - saturation * Math.min(lightness, 1 - lightness) * clamp(Math.min(k - 3, 9 - k), -1, 1)));
  };
  return ((255 << 24) | (part(4) << 16) | (part(8) << 8) | part(0)) >>> 0;
}

function colour() {
  const light = isDark() ? 0.64 : 0.42, unknown = packed(0, 0, isDark() ? 0.4 : 0.7);
  const byYear = document.getElementById("map-colour").value === "year" && points.years;
  const of = points.colours, said = document.getElementById("map-years");
  said.textContent = "";
  if (byYear) {
    let low = 256, high = 0;
    for (const year of points.years) if (year) { low = Math.min(low, year); high = Math.max(high, year); }
    const palette = Array.from({ length: 256 }, (_, year) =>
      year ? packed(230 - (215 * (year - low)) / Math.max(1, high - low), 0.75, light) : unknown);
    for (let at = 0; at < points.count; at++) of[at] = palette[points.years[at]];
    said.textContent = high ? `blue: ${low + 1899}, red: ${high + 1899}, grey: no date` : "No picture has a date.";
    return;
  }
  // Neighbours in the list are far apart on the circle of colours.
  const top = regions.filter((region) => region.level === 0).length;
  const palette = Array.from({ length: top }, (_, at) => packed((at * 360 * 5) / Math.max(1, top | 1), 0.62, light - 0.05 * (at % 2)));
  for (let at = 0; at < points.count; at++) of[at] = palette[points.regions[at]];
}

// --- drawing ---

function later() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    draw();
  });
}

function resize() {
  const scale = ratio();
  const width = Math.max(1, Math.round(canvas.clientWidth * scale)), height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height || !image) {
    canvas.width = width;
    canvas.height = height;
    image = pen.createImageData(width, height);
    buffer = new Uint32Array(image.data.buffer);
  }
  later();
}

function draw() {
  if (!image || !points.count) return;
  const scale = ratio(), width = canvas.width, height = canvas.height;
  const style = getComputedStyle(canvas);
  buffer.fill(0);
  const size = Math.max(1, Math.round(scale * clamp(dots * Math.sqrt(view.zoom), 1, 9)));
  const factor = side() * scale, half = size / 2;
  const left = width / 2 - view.x * factor - half, top = height / 2 - view.y * factor - half;
  const spans = dot(size), { xs, ys, colours, count } = points;
  seen = [];
  for (let at = 0; at < count; at++) {
    const x = Math.round(xs[at] * factor + left), y = Math.round(ys[at] * factor + top);
    if (x < -size || y < -size || x >= width || y >= height) continue;
    if (seen.length <= SEEN_FOR_THUMBNAILS) seen.push(at);
    const tone = colours[at];
    if (x < 0 || y < 0 || x + size > width || y + size > height) continue; // cut off at the edge
    for (let row = 0, place = y * width + x; row < size; row++, place += width) {
      for (let at = place + spans[row], end = place + size - spans[row]; at < end; at++) buffer[at] = tone;
    }
  }
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.putImageData(image, 0, 0);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  shown = new Map();
  if (seen.length <= SEEN_FOR_THUMBNAILS) drawThumbnails(style);
  drawNames(style);
  if (box) {
    pen.strokeStyle = style.getPropertyValue("--accent");
    pen.lineWidth = 2;
    pen.strokeRect(Math.min(box.x0, box.x1), Math.min(box.y0, box.y1), Math.abs(box.x1 - box.x0), Math.abs(box.y1 - box.y0));
  }
  remember();
}

// How many pixels each row of a dot is cut off at both ends.
const discs = new Map();
function dot(size) {
  if (!discs.has(size)) {
    const middle = (size - 1) / 2, radius = size / 2;
    discs.set(size, Array.from({ length: size }, (_, row) =>
      size < 4 ? 0 : Math.max(0, Math.round(radius - Math.sqrt(Math.max(0, radius ** 2 - (row - middle) ** 2))))));
  }
  return discs.get(size);
}

function drawNames(style) {
  const level = view.zoom < 2 ? 0 : view.zoom < 6 ? 1 : 2;
  const deepest = Math.max(0, ...regions.map((region) => region.level));
  const taken = [];
  pen.font = `600 ${level ? 13 : 15}px ${style.fontFamily}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = style.getPropertyValue("--panel");
  pen.fillStyle = style.getPropertyValue("--ink");
  for (const region of regions) {
    if (region.level !== Math.min(level, deepest) || !region.pictures) continue;
    const middle = toX(region.center[0]), y = toY(region.center[1]);
    if (middle < 0 || y < 0 || middle > canvas.clientWidth || y > canvas.clientHeight) continue;
    region.width ??= pen.measureText(region.name).width;
    const wide = region.width / 2 + 4, high = 11;
    const x = clamp(middle, wide, Math.max(wide, canvas.clientWidth - wide));
    if (taken.some(([otherX, otherY, other]) => Math.abs(x - otherX) < wide + other && Math.abs(y - otherY) < 2 * high)) continue;
    taken.push([x, y, wide]);
    pen.strokeText(region.name, x, y);
    pen.fillText(region.name, x, y);
  }
}

// --- thumbnails: of a few points, one in each cell of the map, loaded some at a time ---

const kept = new Map(), wanted = [];
let loading = 0;

function drawThumbnails(style) {
  const cells = CELL / side();
  wanted.length = 0;
  for (const at of seen) {
    const cell = `${Math.floor(points.xs[at] / cells)},${Math.floor(points.ys[at] / cells)}`;
    if (shown.has(cell) || shown.size >= MOST_THUMBNAILS) continue;
    shown.set(cell, at);
    const id = points.ids[at], thumbnail = kept.get(id);
    if (!thumbnail) {
      wanted.push(id);
      continue;
    }
    kept.delete(id); // most recently used last
    kept.set(id, thumbnail);
    if (!thumbnail.complete || !thumbnail.naturalWidth) continue;
    const fit = Math.min(THUMBNAIL / thumbnail.naturalWidth, THUMBNAIL / thumbnail.naturalHeight);
    const wide = thumbnail.naturalWidth * fit, high = thumbnail.naturalHeight * fit;
    const x = toX(points.xs[at]) - wide / 2, y = toY(points.ys[at]) - high / 2;
    pen.fillStyle = style.getPropertyValue("--panel");
    pen.fillRect(x - 2, y - 2, wide + 4, high + 4);
    pen.drawImage(thumbnail, x, y, wide, high);
  }
  load();
}

function load() {
  while (loading < AT_ONCE && wanted.length) {
    const id = wanted.shift();
    if (kept.has(id)) continue;
    const thumbnail = new Image();
    kept.set(id, thumbnail);
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
    loading++;
    thumbnail.onload = thumbnail.onerror = () => {
      loading--;
      later();
      load();
    };
    thumbnail.src = `/api/thumbnail/${id}`;
  }
}

// --- what the user does ---

function pick(x, y) {
  const reach = shown.size ? THUMBNAIL / 2 : NEAR;
  const among = shown.size ? shown.values() : points.ids.keys();
  let best = -1, distance = reach ** 2;
  for (const at of among) {
    const square = (toX(points.xs[at]) - x) ** 2 + (toY(points.ys[at]) - y) ** 2;
    if (square < distance) [best, distance] = [at, square];
  }
  return best < 0 ? null : points.ids[best];
}

function listen() {
  const pointers = new Map(), button = document.getElementById("map-select");
  let isSelecting = false, hasMoved = false;
  const at = (event) => [event.offsetX, event.offsetY];
  const select = (is) => {
    button.ariaPressed = is;
    canvas.classList.toggle("selecting", is);
  };
  button.addEventListener("click", () => select(button.ariaPressed !== "true"));
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    hasMoved = pointers.size > 1;
    isSelecting = pointers.size === 1 && (event.shiftKey || button.ariaPressed === "true");
    const [x, y] = at(event);
    box = isSelecting ? { x0: x, y0: y, x1: x, y1: y } : null;
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = at(event);
    if (isSelecting) {
      [box.x1, box.y1] = now;
      later();
    } else if (pointers.size === 1) {
      if (!hasMoved && Math.hypot(now[0] - before[0], now[1] - before[1]) < 4) return;
      hasMoved = true;
      move((before[0] - now[0]) / side(), (before[1] - now[1]) / side());
    } else {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (place) => Math.max(10, Math.hypot(place[0] - other[0], place[1] - other[1]));
      zoomBy(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    }
    pointers.set(event.pointerId, now);
  });
  const end = (event) => {
    if (!pointers.delete(event.pointerId) || event.type === "pointercancel") {
      box = null;
      return later();
    }
    if (isSelecting && box) {
      const { x0, y0, x1, y1 } = box;
      [box, isSelecting] = [null, false];
      select(false);
      later();
      if (Math.abs(x1 - x0) > 4 && Math.abs(y1 - y0) > 4) {
        location.assign(queryOf(...[Math.min(x0, x1), Math.max(x0, x1)].map(fromX).flatMap((x, which) => [x, fromY([Math.min(y0, y1), Math.max(y0, y1)][which])])));
      }
    } else if (!hasMoved && event.button === 0) {
      const id = pick(...at(event));
      if (id !== null) location.assign(`/pictures/${id}`);
    }
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomBy(Math.exp(-clamp(event.deltaY * (event.deltaMode ? 30 : 1), -200, 200) / 300), ...at(event));
  }, { passive: false });
  const step = () => 80 / side();
  const keys = {
    ArrowLeft: () => move(-step(), 0), ArrowRight: () => move(step(), 0), ArrowUp: () => move(0, -step()), ArrowDown: () => move(0, step()),
    "+": () => zoomBy(1.6), "=": () => zoomBy(1.6), "-": () => zoomBy(1 / 1.6), 0: showAll,
    Enter: () => location.assign(inView()),
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  for (const each of document.querySelectorAll("[data-zoom]")) {
    each.addEventListener("click", () => (Number(each.dataset.zoom) ? zoomBy(Number(each.dataset.zoom)) : showAll()));
  }
  document.getElementById("map-colour").addEventListener("change", async (event) => {
    if (event.target.value === "year" && !points.years) {
      const years = new Uint8Array(await (await fetch("/api/map/years")).arrayBuffer());
      if (years.length === points.count) points.years = years;
    }
    colour();
    later();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colour();
    later();
  });
  window.addEventListener("hashchange", () => {
    recall();
    later();
  });
  new ResizeObserver(resize).observe(canvas);
}

// --- from the server ---

async function open() {
  const described = await (await fetch("/api/map")).json();
  const content = await (await fetch(`/api/map/positions?v=${described.version}`)).arrayBuffer();
  const count = content.byteLength / 8;
  regions = described.regions.map((region) => ({ ...region }));
  const tops = regions.map(() => 0), large = regions.filter((region) => region.level === 0);
  regions.forEach((region, at) => (tops[at] = region.parent === null ? large.indexOf(region) : tops[region.parent]));
  const spread = (values) => Float32Array.from(values, (value) => value / 65535);
  Object.assign(points, {
    count,
    ids: new Uint32Array(content, 0, count),
    xs: spread(new Uint16Array(content, 4 * count, count)),
    ys: spread(new Uint16Array(content, 6 * count, count)),
    regions: new Uint8Array(count),
    colours: new Uint32Array(count),
  });
  regions.forEach((region, at) => {
    if (region.first !== null) points.regions.fill(tops[at], region.first, region.first + region.pictures);
  });
  regions.sort((one, other) => other.pictures - one.pictures);
  dots = clamp(900 / Math.sqrt(count + 1) / 3, 1.4, 5);
  recall();
  colour();
  canvas.hidden = document.querySelector(".map-tools").hidden = false;
  listen();
  resize();
}

async function wait() {
  const said = document.getElementById("map-wait");
  const answer = await fetch("/api/map");
  if (answer.ok) return location.reload();
  said.textContent = (await answer.json()).detail;
  if (answer.status === 404) setTimeout(wait, 1000);
}

if (canvas) open();
else if (document.getElementById("map-wait")?.hasAttribute("data-wait")) wait();
