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
    old.replaceWith(fresh);
    if (id) document.getElementById(id)?.focus({ preventScroll: true });
    return;
  }
  for (const part of fresh.querySelectorAll(".moves[id]")) {
    const place = document.getElementById(part.id);
    if (place && place.innerHTML !== part.innerHTML && !place.contains(document.activeElement)) place.replaceWith(part);
  }
}

setInterval(look, EVERY);
document.addEventListener("visibilitychange", look);
