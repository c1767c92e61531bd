// Forms whose answer follows what is chosen: a change asks the server for the same page with other values, and only the
// answer is replaced. Sliders stand beside fields that have stops; the field keeps what is typed between them.
const form = document.querySelector("form[data-live]");
const result = () => document.getElementById("result");
const number = (text) => Number((text.match(/[\d.]+/) ?? ["0"])[0]) * (/k\s*$/i.test(text) ? 1024 : 1);

function question() {
  const data = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== "") data.append(name, value);
  return `${form.getAttribute("action")}?${data}`;
}

let last = 0;
async function ask() {
  const mine = ++last, address = question();
  const late = setTimeout(() => result().classList.add("busy"), 150); // quicker answers need no sign
  const answer = await fetch(address);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  clearTimeout(late);
  if (mine !== last) return; // another one was asked meanwhile
  const drawn = fresh.getElementById("result") ?? fresh.querySelector(".error");
  drawn.id = "result";
  result().replaceWith(drawn);
  for (const node of drawn.querySelectorAll("button.js")) node.hidden = false;
  history.replaceState(null, "", address);
  document.getElementById("say").textContent = drawn.querySelector(".verdict, h1")?.textContent ?? "";
}

for (const slider of form.querySelectorAll("input[type=range][data-stops]")) {
  const field = form.elements[slider.dataset.for], stops = slider.dataset.stops.split(" ");
  const nearest = () => { const asked = number(field.value); let at = 0; stops.forEach((stop, i) => { if (number(stop) <= asked) at = i; }); return at; };
  slider.max = stops.length - 1;
  slider.value = nearest();
  slider.hidden = field.value === "" && slider.dataset.for === "budget";
  slider.addEventListener("input", () => {
    const unit = field.value.replace(/[\d.,\s]/g, ""); // the money that was typed
    field.value = slider.dataset.for === "budget" ? stops[slider.value] + unit : stops[slider.value];
    slider.setAttribute("aria-valuetext", field.value);
  });
  field.addEventListener("input", () => { slider.value = nearest(); slider.hidden = field.value === "" && slider.dataset.for === "budget"; });
}
form.addEventListener("change", ask);
