// The Fit page while a slider moves: one table of exact answers is fetched for each question, so a drag is a look-up.
// When the slider is let go, the server draws what the table does not hold: changes that mend it, speed, command, ledger.
const form = document.getElementById("fit");
const words = JSON.parse(document.getElementById("words").textContent);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const KINDS = ["weights", "kv_cache", "recurrent_state", "scratch", "overhead"];
const GIB = 2 ** 30;

const fill = (template, facts) => template.replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
const whole = (n) => Math.round(n).toLocaleString("en-US");
const people = (n) => (n === 1 ? words.one : fill(words.many, { n: whole(n) }));
const even = (n, digits) => { const s = n * 10 ** digits, f = Math.floor(s); return (s - f === 0.5 ? f + (f % 2) : Math.round(s)) / 10 ** digits; };
const fixed = (n, digits) => even(n, digits).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
// The same roundings as the server's: to spare is rounded down, short is rounded up.
const gib = (bytes) => (bytes > 0 && bytes < 0.01 * GIB ? "<0.01" : fixed(bytes / GIB, 2));
const down = (bytes) => { const n = bytes / GIB, digits = n >= 0.1 ? 1 : 2; return fixed(Math.floor(n * 10 ** digits) / 10 ** digits, digits); };
const up = (bytes) => fixed(Math.ceil((bytes / GIB) * 10) / 10, 1);
const short = (n) => (n % 1024 === 0 ? `${n / 1024}k` : whole(n));
const el = (name, attributes, ...kids) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...kids);
  return node;
};

let map = null; // the table of answers
const stops = { context: $("s-context").dataset.stops.split(" ").map(Number), users: $("s-users").dataset.stops.split(" ").map(Number) };
let asked = new URL(form.dataset.map, location.href);

const layer = () => map.layers.find((l) => l.cache === cache());
const cache = () => form.elements.kv_type.value;
const place = () => ({ c: Number($("s-context").value), u: Number($("s-users").value) });

let loads = 0;
async function load() {
  if (!form.dataset.map) return; // what the server refuses has no map
  const mine = ++loads, answer = await fetch(asked, { headers: { accept: "application/json" } });
  const found = answer.ok ? await answer.json() : null;
  if (mine !== loads || found === null) return;
  map = found;
  stops.context = map.contexts;
  stops.users = map.users;
  setSliders(); // what was moved meanwhile stands in the fields
  $("map").hidden = false;
  drawMap();
  speakSliders();
}

function setSliders() {
  for (const id of ["context", "users"]) {
    const slider = $(`s-${id}`);
    slider.max = stops[id].length - 1;
    slider.value = nearest(stops[id], count(form.elements[id].value));
    slider.hidden = false;
  }
}

const count = (text) => Number((text.replaceAll(",", "").match(/[\d.]+/) ?? ["0"])[0]) * (/k\s*$/i.test(text) ? 1024 : 1);
function nearest(all, value) {
  let best = 0;
  all.forEach((stop, i) => { if (stop <= value) best = i; });
  return best;
}

// ---- the answer of one stop ------------------------------------------------------------------------------------------
function look() {
  const { c, u } = place(), found = layer();
  const devices = found.devices.map((d) => ({
    ...d, parts: KINDS.map((kind) => [kind, d[kind][u][c]]), low: d.low[u][c], high: d.high[u][c],
  }));
  const spare = (d) => (d.usable === null ? Infinity : d.usable - d.high);
  const tightest = devices.reduce((a, b) => (spare(b) < spare(a) ? b : a));
  return { fit: found.fit[u][c], spare: found.spare === null ? null : found.spare[u][c], devices, tightest, context: map.contexts[c], users: map.users[u] };
}

function show() {
  const found = look(), tone = { fits: "yes", unsure: "tight", short: "no" }[found.fit];
  const verdict = $("verdict");
  if (verdict.dataset.tone !== tone) {
    verdict.className = `verdict ${tone}`;
    verdict.dataset.tone = tone;
    verdict.querySelector(".mark path").setAttribute("d", { yes: "M6.5 12.5l4 4 7.5-8.5", tight: "M12 6v7.5M12 16.6v1.4", no: "M7.5 7.5l9 9M16.5 7.5l-9 9" }[tone]);
  }
  $("verdict-text").textContent = words[tone];
  const spare = found.spare;
  $("spare").textContent = spare === null ? "" : spare >= 0 ? fill(words.spare, { gib: down(spare) }) : fill(tone === "tight" ? words.upto : words.short, { gib: up(-spare) });
  const t = found.tightest, facts = { people: people(found.users), context: whole(found.context), low: gib(t.low), high: gib(t.high), usable: t.usable === null ? "?" : gib(t.usable) };
  const why = document.createElement("p");
  why.className = "why";
  why.textContent = fill(found.users === 1 ? words.takes_one : words.takes, facts);
  $("takes").replaceChildren(why);
  for (const id of ["aside", "command", "ledger"]) $(id).classList.add("busy"); // until the server has spoken
  for (const button of document.querySelectorAll("#command button")) button.disabled = true;
  $("say").textContent = "";
  found.devices.forEach(drawBar);
  for (const [kind, bytes] of found.devices[0].parts) {
    const node = document.querySelector(`.legend [data-part="${kind}"]`);
    if (node) node.textContent = gib(bytes);
  }
  form.elements.context.value = found.context;
  form.elements.users.value = found.users;
  moveMarker();
  speakSliders();
}

// The bar is the server's drawing: a drag moves its parts; doubt, hatching and words wait for the server.
function drawBar(device, number) {
  const figure = document.querySelector(`.bar[data-device="${number}"]`);
  if (!figure) return;
  const total = device.parts.reduce((sum, [, bytes]) => sum + bytes, 0), { usable, capacity } = device;
  for (const svg of figure.querySelectorAll(".memory-bar")) {
    const scale = svg.viewBox.baseVal.width / Math.max(capacity ?? 0, total, 1);
    const put = (part, from, bytes) => {
      const rect = svg.querySelector(`[data-part="${part}"]`);
      rect?.setAttribute("x", from * scale);
      rect?.setAttribute("width", bytes * scale);
      return rect;
    };
    if (usable !== null) put("free", 0, usable);
    if (usable !== null && capacity > usable) put("reserved", usable, capacity - usable);
    let x = 0;
    for (const [kind, bytes] of device.parts) {
      put(kind, x, bytes)?.querySelector("title")?.replaceChildren(`${words[kind]} ${gib(bytes)} GiB`);
      x += bytes;
    }
    const mark = svg.querySelector(".usable, .usable-short");
    mark?.setAttribute("transform", `translate(${usable * scale - parseFloat(mark.getAttribute("d").slice(1))})`);
    mark?.setAttribute("class", device.high > usable ? "usable-short" : "usable");
    svg.classList.add("moves");
    svg.setAttribute("aria-label", device.parts.filter(([, b]) => b > 0).map(([k, b]) => `${words[k]} ${gib(b)} GiB`).join(", "));
  }
  figure.querySelector("figcaption").textContent = `${figure.dataset.name}: ${gib(total)}${usable === null ? "" : ` / ${gib(usable)}`} GiB`;
}

function ahead(id) { // the map is not here yet: the field follows, the server answers when the slider rests
  form.elements[id].value = stops[id][$(`s-${id}`).value];
  $(`s-${id}`).setAttribute("aria-valuetext", form.elements[id].value);
}

function speakSliders() {
  if (!map) return;
  const said = $("verdict-text").textContent + " " + $("spare").textContent;
  $("s-context").setAttribute("aria-valuetext", `${whole(map.contexts[$("s-context").value])}: ${said}`);
  $("s-users").setAttribute("aria-valuetext", `${people(map.users[$("s-users").value])}: ${said}`);
}

// ---- the map ---------------------------------------------------------------------------------------------------------
const LEFT = 44, TOP = 26, CELL = { w: 44, h: 26 };
function most(found) { // for each context the number of the last stop of users that surely fits, -1 for none
  return map.contexts.map((_, c) => { let best = -1; map.users.forEach((_, u) => { if (found.fit[u][c] === "fits") best = u; }); return best; });
}
function cellClass(found, u, c) {
  if (found.fit[u][c] === "short") return "mx";
  if (found.fit[u][c] === "unsure") return "mt";
  const share = Math.max(...found.devices.map((d) => (d.usable ? d.high[u][c] / d.usable : 0)));
  return share < 0.5 ? "m0" : share < 0.7 ? "m1" : share < 0.85 ? "m2" : "m3";
}
function drawMap() {
  const found = layer(), C = map.contexts.length, U = map.users.length, y = (u) => TOP + (U - 1 - u) * CELL.h, x = (c) => LEFT + c * CELL.w;
  const width = LEFT + C * CELL.w + 8, height = TOP + U * CELL.h + 40;
  const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, width: 1.5 * width, role: "img", id: "map-svg" });
  for (let u = 0; u < U; u++) for (let c = 0; c < C; c++) {
    const bytes = Math.max(...found.devices.map((d) => d.high[u][c]));
    const fit = { fits: words.fits, unsure: words.unsure, short: words.does_not }[found.fit[u][c]];
    const told = fill(words.cell, { context: whole(map.contexts[c]), people: people(map.users[u]), gib: gib(bytes), fit });
    svg.append(el("rect", { x: x(c) + 1, y: y(u) + 1, width: CELL.w - 2, height: CELL.h - 2, rx: 2, class: cellClass(found, u, c), "data-c": c, "data-u": u }, el("title", {}, told)));
  }
  map.layers.forEach((l, n) => {
    const top = most(l);
    let path = "";
    top.forEach((u, c) => { const at = u < 0 ? TOP + U * CELL.h : y(u); path += `${c ? "L" : "M"}${x(c)} ${at}L${x(c) + CELL.w} ${at}`; });
    svg.append(el("path", { d: path, class: `edge e${n}` }, el("title", {}, fill(words.edge, { cache: l.cache }))));
  });
  map.contexts.forEach((n, c) => svg.append(el("text", { x: x(c) + CELL.w / 2, y: TOP + U * CELL.h + 16, "text-anchor": "middle" }, short(n))));
  map.users.forEach((n, u) => svg.append(el("text", { x: LEFT - 8, y: y(u) + 17, "text-anchor": "end" }, String(n))));
  svg.append(el("text", { x: width / 2, y: height - 6, "text-anchor": "middle" }, words.contexts), el("text", { x: 0, y: 14 }, words.users));
  svg.append(el("rect", { class: "mark-here", width: CELL.w, height: CELL.h, rx: 3, id: "here" }));
  svg.setAttribute("aria-label", map.contexts.map((n, c) => `${short(n)}: ${most(found)[c] < 0 ? 0 : map.users[most(found)[c]]}`).join(", "));
  $("map-plot").replaceChildren(svg);
  svg.addEventListener("click", (event) => {
    const cell = event.target.closest("rect[data-c]");
    if (!cell) return;
    $("s-context").value = cell.dataset.c;
    $("s-users").value = cell.dataset.u;
    show();
    settle();
  });
  const line = (n) => el("svg", { viewBox: "0 0 28 8", width: 28, height: 8, "aria-hidden": "true" }, el("path", { d: "M0 4H28", class: `edge e${n}` }));
  $("map-edges").replaceChildren(...map.layers.flatMap((l, n) => [line(n), document.createTextNode(` ${fill(words.edge, { cache: l.cache })}  `)]));
  table();
  moveMarker();
}
function moveMarker() {
  const here = $("here"), { c, u } = place();
  if (!here) return;
  here.setAttribute("x", LEFT + c * CELL.w);
  here.setAttribute("y", TOP + (map.users.length - 1 - u) * CELL.h);
}
function table() {
  const grid = $("map-table"), row = (head, cells, tag) => { const tr = document.createElement("tr"), th = document.createElement("th"); th.scope = tag === "th" ? "col" : "row"; th.textContent = head; tr.append(th, ...cells.map((text) => { const cell = document.createElement(tag); if (tag === "th") cell.scope = "col"; cell.className = "n"; cell.textContent = text; return cell; })); return tr; };
  const caption = grid.caption, head = document.createElement("thead"), body = document.createElement("tbody");
  const found = map.layers.map(most); // a row for each context: it needs no more room than a telephone has
  head.append(row("", map.layers.map((l) => l.cache), "th"));
  map.contexts.forEach((n, c) => body.append(row(short(n), found.map((top) => (top[c] < 0 ? "0" : String(map.users[top[c]]))), "td")));
  grid.replaceChildren(caption, head, body);
}

// ---- when the hand rests ---------------------------------------------------------------------------------------------
let last = 0;
function question() {
  const data = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== "") data.set(name, value);
  return `${form.getAttribute("action")}?${data}`;
}
let waiting = null, leaving = null;
function settle() { // a held key asks once
  for (const id of ["aside", "command", "ledger"]) $(id).classList.add("busy");
  clearTimeout(waiting);
  waiting = setTimeout(follow, 150);
}
async function follow() {
  const number = ++last, address = question();
  leaving?.abort();
  leaving = new AbortController();
  history.replaceState(null, "", address);
  let fresh;
  try {
    const answer = await fetch(address, { signal: leaving.signal });
    if (answer.status === 429) { waiting = setTimeout(follow, 1000); return; }
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch (error) {
    if (error.name !== "AbortError") $("say").textContent = String(error.message);
    return;
  }
  if (number !== last) return; // another one was asked meanwhile
  if (!fresh.getElementById("answer")) { location.assign(address); return; }
  for (const id of ["answer", "aside", "command", "ledger"]) $(id).replaceWith(fresh.getElementById(id));
  document.querySelector("footer").replaceWith(fresh.querySelector("footer"));
  document.querySelector(".lang").replaceWith(fresh.querySelector(".lang"));
  for (const node of document.querySelectorAll("button.js")) node.hidden = false;
  $("say").textContent = $("verdict-text").textContent + " " + $("spare").textContent;
  document.title = fresh.title;
}
for (const id of ["s-context", "s-users"]) {
  $(id).addEventListener("input", () => map ? show() : ahead(id.slice(2)));
  $(id).addEventListener("change", settle);
}
for (const input of form.querySelectorAll('input[name="kv_type"]')) input.addEventListener("change", () => {
  if (map?.layers.some((l) => l.cache === cache())) { drawMap(); show(); } else { asked.searchParams.set("kv_type", cache()); load(); }
  settle();
});
for (const name of ["context", "users"]) form.elements[name].addEventListener("change", () => {
  asked.searchParams.set(name, form.elements[name].value); // what is typed becomes a stop of the map
  if (form.dataset.map) setSliders();
load();
  settle();
});
// Every other field asks another question: the page is drawn anew.
form.addEventListener("change", (event) => {
  if (event.target.name && !["context", "users", "kv_type"].includes(event.target.name)) location.assign(question());
});
if (form.dataset.map) setSliders();
load();
