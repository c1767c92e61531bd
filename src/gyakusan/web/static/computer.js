// This computer moves: once a second the server draws the part that changes, and only what differs is replaced. Nothing is
// computed here. A page that nobody sees does not ask.
const EVERY = 1000;
let asking = false;

async function look() {
  if (document.hidden || asking) return;
  asking = true;
  try {
    const answer = await fetch("/computer/live", { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    if (fresh) replace(document.getElementById("live"), fresh);
  } catch {
    document.getElementById("live").classList.add("busy"); // the page's own server has ended
  } finally {
    asking = false;
  }
}

function replace(old, fresh) {
  old.classList.remove("busy");
  if (old.dataset.key !== fresh.dataset.key) { // a server came or went: the focus stays where it has a place
    const id = document.activeElement?.id;
    const kept = new Map([...old.querySelectorAll("input[id]")].map((field) => [field.id, field.value]));
    old.replaceWith(fresh);
    for (const [name, value] of kept) if (document.getElementById(name)) document.getElementById(name).value = value;
    if (id) document.getElementById(id)?.focus({ preventScroll: true });
    if (fresh.dataset.key.includes("bench:False")) benches();
    return;
  }
  for (const part of fresh.querySelectorAll(".moves[id]")) {
    const place = document.getElementById(part.id);
    if (place && place.innerHTML !== part.innerHTML && !place.contains(document.activeElement)) place.replaceWith(part);
  }
}

async function benches() { // one has ended: its charts and its row
  const fresh = new DOMParser().parseFromString(await (await fetch("/computer")).text(), "text/html");
  for (const id of ["bench", "history"]) {
    const part = fresh.getElementById(id), place = document.getElementById(id);
    if (part && place) place.replaceWith(part);
    else if (part) document.getElementById("bench").after(part);
  }
}

async function again() { // a pause after each answer, however long that took
  await look();
  setTimeout(again, EVERY);
}
setTimeout(again, EVERY);
document.addEventListener("visibilitychange", look);
