// Forms whose answer follows what is chosen: a change asks the server for the same page with other values, and only the
// answer is replaced. Sliders stand beside fields that have stops; the field keeps what is typed between them.
const form = document.querySelector("form[data-live]");
const result = () => document.getElementById("result");
const number = (text) => Number((text.replaceAll(",", "").match(/[\d.]+/) ?? ["0"])[0]) * (/k\s*$/i.test(text) ? 1024 : 1);
const MONEY = /^\s*[\d,]+(?:\.\d+)?\s*(JPY|USD|EUR|CHF|円)\s*$/i;

function question() {
  const data = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== "") data.append(name, value);
  return `${form.getAttribute("action")}?${data}`;
}

let last = 0;
async function ask() {
  const mine = ++last, address = question();
  const late = setTimeout(() => result().classList.add("busy"), 150); // quicker answers need no sign
  let fresh;
  try {
    fresh = new DOMParser().parseFromString(await (await fetch(address)).text(), "text/html");
  } catch (error) {
    document.getElementById("say").textContent = String(error.message);
    return;
  } finally {
    clearTimeout(late);
  }
  const drawn = fresh.getElementById("result") ?? fresh.querySelector(".error");
  if (mine !== last || !drawn) return; // another one was asked meanwhile
  drawn.id = "result";
  result().replaceWith(drawn);
  for (const node of drawn.querySelectorAll("button.js")) node.hidden = false;
  history.replaceState(null, "", address);
  document.querySelector("footer").replaceWith(fresh.querySelector("footer"));
  document.querySelector(".lang").replaceWith(fresh.querySelector(".lang"));
  document.getElementById("say").textContent = drawn.querySelector(".verdict, h1, .error h2")?.textContent ?? "";
}

for (const slider of form.querySelectorAll("input[type=range][data-stops]")) {
  const field = form.elements[slider.dataset.for], money = slider.dataset.for === "budget";
  const unit = () => (field.value.match(MONEY) ?? ["", ""])[1];
  const stops = () => slider.dataset.stops.split(" ").map((stop) => (money && !/JPY|円/i.test(unit()) ? String(number(stop) / 100) : stop));
  const draw = () => { // the slider follows the field, and hides where it cannot read the money
    slider.hidden = money && !unit();
    slider.max = stops().length - 1;
    slider.value = Math.max(0, stops().findLastIndex((stop) => number(stop) <= number(field.value)));
    slider.setAttribute("aria-valuetext", field.value || stops()[0]);
  };
  draw();
  slider.addEventListener("input", () => {
    field.value = stops()[slider.value] + (money ? unit() : "");
    slider.setAttribute("aria-valuetext", field.value);
  });
  field.addEventListener("input", draw);
}
form.addEventListener("change", ask);
