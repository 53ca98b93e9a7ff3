// The viewer: one image, a slider over two, or their difference. It follows report.js in the same script.

const viewer = find("viewer");
const stage = viewer.querySelector(".stage");
const figure = viewer.querySelector("figure");
const [under, over] = [find("under"), find("over")];
const view = { row: null, mode: "one", left: null, right: null };
const KEYS = {
  one: "← → image   ↑ ↓ row   Esc close",
  slider: "← → divider   ↑ ↓ row   Esc close",
  difference: "|left − right|   ← → ↑ ↓ row   Esc close",
};

function fillChoice(select, labels, chosen) {
  select.replaceChildren(...labels.map((label) => new Option(label, label, false, label === chosen)));
}

function showImages(links) {
  const linkOf = (label) => links.find((link) => labelOf(link) === label);
  const [left, right] = [linkOf(view.left), linkOf(view.right)];
  const bottom = view.mode === "one" ? left : right;
  under.src = bottom.href;
  under.alt = bottom.firstElementChild.alt;
  over.src = left.href;
  over.alt = view.mode === "one" ? "" : left.firstElementChild.alt;
  figure.querySelector(".left").textContent = view.left;
  figure.querySelector(".right").textContent = view.right;
}

function showView() {
  const links = imageLinks(view.row);
  const labels = links.map(labelOf);
  if (!labels.includes(view.left)) view.left = labels[0];
  if (!labels.includes(view.right) || view.right === view.left) {
    view.right = labels.findLast((label) => label !== view.left) ?? view.left;
  }
  fillChoice(find("left"), labels, view.left);
  fillChoice(find("right"), labels, view.right);
  figure.dataset.mode = view.mode;
  showImages(links);
  for (const button of viewer.querySelectorAll("button[data-mode]")) {
    button.ariaPressed = String(button.dataset.mode === view.mode);
    button.disabled = labels.length < 2 && button.dataset.mode !== "one";
  }
  describeRow();
}

function describeRow() {
  const cells = [...view.row.tr.querySelectorAll("[data-value]")].filter((cell) => cell.textContent);
  find("viewer-name").textContent = view.row.name;
  find("viewer-metrics").textContent = cells.map((cell) => `${cell.dataset.label} ${cell.textContent}`).join("   ");
  find("place").textContent = `${count.format(shown.indexOf(view.row) + 1)} of ${count.format(shown.length)}`;
  viewer.querySelector(".keys").textContent = KEYS[view.mode];
}

function openViewer(row, mode, left) {
  Object.assign(view, { row, mode, left });
  showView();
  if (!viewer.open) viewer.showModal();
  (mode === "slider" ? find("divider") : stage).focus();
}

function setMode(mode) {
  view.mode = mode;
  showView();
  if (mode === "slider") find("divider").focus();
}

function moveRow(by) {
  const here = shown.indexOf(view.row);
  const rest = by > 0 ? shown.slice(here + 1) : shown.slice(0, here).reverse();
  const row = rest.find((other) => imageLinks(other).length);
  if (!row) return false;
  view.row = row;
  showView();
  return true;
}

function turn(by) {
  if (view.mode !== "one") return moveRow(by);
  const labels = imageLinks(view.row).map(labelOf);
  const left = labels[labels.indexOf(view.left) + by];
  if (left === undefined && !moveRow(by)) return false;
  view.left = left ?? imageLinks(view.row).map(labelOf).at(by > 0 ? 0 : -1);
  showView();
  return true;
}

function onKey(event) {
  if (event.target.tagName === "SELECT" || event.altKey || event.ctrlKey || event.metaKey) return;
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!by) return;
  const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
  if (sideways && view.mode === "slider") {
    find("divider").focus(); // the range input moves itself
    return;
  }
  event.preventDefault();
  if (sideways) turn(by);
  else moveRow(by);
}

body.addEventListener("click", (event) => {
  const row = rows.find(({ tr }) => tr.contains(event.target));
  const link = event.target.closest(".image a");
  if (event.target.closest(".compare")) openViewer(row, "slider", imageLinks(row).map(labelOf).at(-2));
  if (event.target.closest(".blend")) openPair(row);
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  openViewer(row, "one", labelOf(link));
});

function openPair(row) {
  const pair = find("difference").selectedOptions[0].dataset;
  view.right = pair.right;
  openViewer(row, "difference", pair.left);
}

viewer.addEventListener("keydown", onKey);
viewer.addEventListener("close", () => {
  attach(shown.indexOf(view.row) + 1);
  const link = imageLinks(view.row).find((image) => labelOf(image) === view.left);
  link.focus({ preventScroll: true });
  link.scrollIntoView({ block: "nearest" });
});
stage.addEventListener("click", (event) => event.target === stage && viewer.close());
for (const button of viewer.querySelectorAll("button[data-mode]")) {
  button.addEventListener("click", () => setMode(button.dataset.mode));
}
for (const side of ["left", "right"]) {
  find(side).addEventListener("change", (event) => {
    view[side] = event.target.value;
    showView();
  });
}
find("divider").addEventListener("input", (event) => figure.style.setProperty("--at", `${event.target.value}%`));
for (const select of gains) {
  select.addEventListener("change", () => {
    document.documentElement.style.setProperty("--gain", select.value);
    for (const other of gains) other.value = select.value; // the table's and the viewer's agree
  });
}
find("close").addEventListener("click", () => viewer.close());
find("previous").addEventListener("click", () => turn(-1));
find("next").addEventListener("click", () => turn(1));
under.addEventListener("load", () => figure.style.setProperty("--ratio", under.naturalWidth / under.naturalHeight));
