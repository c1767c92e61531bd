// A GGUF file that is opened or dropped on Fit: its first bytes go to this computer's own page, which reads the header.
const MOST = 32 * 2 ** 20; // the server takes no more
const box = document.getElementById("open"), field = document.getElementById("open-file"), said = document.getElementById("open-said");
box.hidden = false;

async function read(file) {
  said.className = "";
  said.textContent = box.dataset.busy;
  const to = `/fit/file?${new URLSearchParams({ name: file.name.slice(-200), size: file.size })}`;
  try {
    const answer = await fetch(to, {
      method: "POST", body: file.slice(0, MOST), headers: { "content-type": "application/octet-stream", "x-gyakusan-token": box.dataset.token },
    });
    const found = await answer.json();
    if (answer.ok) return follow(found.model);
    said.textContent = [found.detail ?? found.error?.message, found.mend].filter(Boolean).join(" ");
  } catch (error) {
    said.textContent = String(error.message);
  }
  said.className = "bad";
}

function follow(model) { // the same machine and people, with the file's own quantisation
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(document.getElementById("fit"))) if (value !== "" && name !== "quant") query.append(name, value);
  query.set("model", model);
  location.assign(`/fit?${query}`);
}

field.addEventListener("change", () => { if (field.files[0]) read(field.files[0]); });
document.addEventListener("dragover", (event) => {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  box.classList.add("here");
});
document.addEventListener("dragleave", () => box.classList.remove("here"));
document.addEventListener("drop", (event) => {
  box.classList.remove("here");
  if (!event.dataTransfer.files[0]) return;
  event.preventDefault();
  read(event.dataTransfer.files[0]);
});
