// Single keys of Fit: m, d, c, u go to a field, y copies the command, ? shows the list, in which they are switched off
// (WCAG 2.1.4). Whether they work is kept in this browser.
const KEPT = "gyakusan.keys";
const FIELDS = { m: "f-model", d: "f-device", c: "s-context", u: "s-users" };
const list = document.getElementById("keys"), open = document.getElementById("keys-open"), works = document.getElementById("keys-on");
const kept = () => { try { return localStorage.getItem(KEPT) !== "off"; } catch { return true; } };

open.hidden = false;
works.checked = kept();
works.addEventListener("change", () => { try { localStorage.setItem(KEPT, works.checked ? "on" : "off"); } catch { /* for this page only */ } });
open.addEventListener("click", () => list.showModal());

document.addEventListener("keydown", (event) => {
  if (!works.checked || list.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=range]), select, textarea")) return;
  const field = document.getElementById(FIELDS[event.key]);
  if (field && !field.hidden) { field.focus(); event.preventDefault(); }
  if (event.key === "y") document.querySelector("button[data-copy]")?.click();
  if (event.key === "?") { list.showModal(); event.preventDefault(); }
});
