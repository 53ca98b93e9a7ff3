// The rows are plain HTML and read without this script; here they learn to sort, filter and compare.
const find = (id) => document.getElementById(id);
const table = find("rows");
const body = table.tBodies[0];
const count = new Intl.NumberFormat("en");
const rows = Array.from(body.rows, (tr, order) => ({
  tr,
  order,
  name: tr.querySelector(".name span").textContent,
  values: Array.from(tr.querySelectorAll("[data-value]"), (cell) => parseFloat(cell.dataset.value)),
}));
let shown = rows; // in the order of sorting, without those filtered out
let attached = 0; // how many of them are in the document

// ---- The document holds the rows down to a little below the window, and room for the others -------

function attach(upTo) {
  const fragment = document.createDocumentFragment();
  for (; attached < Math.min(upTo, shown.length); attached += 1) {
    const row = shown[attached];
    row.tr.ariaRowIndex = String(attached + 2); // the headings are the first
    fragment.append(withDifference(row));
  }
  body.append(fragment);
  const height = body.rows[0]?.offsetHeight ?? 0;
  table.style.setProperty("--row", `${height}px`);
  find("room").style.height = `${height * (shown.length - attached)}px`;
}

function fillWindow() {
  const missing = 2 * innerHeight - find("room").getBoundingClientRect().top;
  if (missing > 0 && attached < shown.length) attach(attached + 20 + Math.ceil(missing / body.rows[0].offsetHeight));
}

function showRows() {
  body.replaceChildren();
  attached = 0;
  table.ariaRowCount = String(shown.length + 1);
  attach(20);
  fillWindow();
}

// ---- Sorting -------------------------------------------------------------------------------------

const headings = [...table.querySelectorAll("thead [data-sort]")];
const metric = find("metric");

// Names are compared once, in natural order (2 before 10); afterwards only their ranks are.
function rankNames() {
  const collator = new Intl.Collator("en", { numeric: true });
  [...rows].sort((x, y) => collator.compare(x.name, y.name)).forEach((row, rank) => (row.rank = rank));
}

function sortBy(key, direction) {
  if (key === "name" && rows.length && rows[0].rank === undefined) rankNames();
  const value = (row) => (key === "name" ? row.rank : row.values[key]);
  const sign = direction === "ascending" ? 1 : -1;
  rows.sort((x, y) => {
    const [a, b] = [value(x), value(y)];
    const finite = Number.isFinite(b) - Number.isFinite(a); // nan, inf and missing values come last
    return finite || (Number.isFinite(a) && sign * (a - b)) || x.order - y.order;
  });
  markSorted(key, direction);
  filterRows();
  if (table.getBoundingClientRect().top < find("toolbar").offsetHeight) table.scrollIntoView();
}

function markSorted(key, direction) {
  for (const button of headings) {
    button.closest("th").ariaSort = button.dataset.sort === key ? direction : "none";
  }
  if ([...metric.options].some((option) => option.value === key)) metric.value = key;
  const best = metric.selectedOptions[0]?.dataset.best;
  find("best").ariaPressed = String(metric.value === key && direction === best);
  find("worst").ariaPressed = String(metric.value === key && direction !== best);
  find("better").textContent = best === "ascending" ? "lower is better" : "higher is better";
}

function sortByMetric(best) {
  const up = (metric.selectedOptions[0].dataset.best === "ascending") === best;
  sortBy(metric.value, up ? "ascending" : "descending");
}

for (const button of headings) {
  button.addEventListener("click", () => {
    const again = button.closest("th").ariaSort === "ascending";
    sortBy(button.dataset.sort, again ? "descending" : "ascending");
  });
}
find("best").addEventListener("click", () => sortByMetric(true));
find("worst").addEventListener("click", () => sortByMetric(false));
metric.addEventListener("change", () => sortByMetric(find("worst").ariaPressed !== "true"));

// ---- Filter, size, difference column -------------------------------------------------------------

function filterRows() {
  const wanted = find("filter").value.toLowerCase();
  shown = rows.filter((row) => row.name.toLowerCase().includes(wanted));
  showRows();
  const all = `${count.format(rows.length)} ${rows.length === 1 ? "row" : "rows"}`;
  find("count").textContent = wanted ? `${count.format(shown.length)} of ${all}` : all;
  find("nothing").hidden = shown.length > 0;
  if (rows.length && !shown.length) find("nothing").textContent = `No name contains “${wanted}”.`;
}

const gains = document.querySelectorAll(".gain select");
const imageLinks = (row) => [...row.tr.querySelectorAll(".image a")];
const labelOf = (link) => link.parentNode.dataset.label;

function withDifference(row) {
  const pair = find("difference").selectedOptions[0];
  row.tr.querySelector(".extra")?.remove();
  if (find("difference").selectedIndex > 0) {
    row.tr.insertBefore(differenceCell(row, pair), row.tr.querySelector(".metric"));
  }
  return row.tr;
}

function differenceCell(row, pair) {
  const cell = document.createElement("td");
  cell.className = "image extra";
  cell.setAttribute("role", "cell");
  cell.dataset.label = pair.text;
  const links = imageLinks(row);
  const two = [pair.dataset.left, pair.dataset.right].map((label) => links.find((link) => labelOf(link) === label));
  if (!two.every(Boolean)) return cell;
  const blend = cell.appendChild(document.createElement("button"));
  blend.className = "blend";
  for (const link of two) blend.append(link.firstElementChild.cloneNode());
  blend.firstElementChild.alt = `${pair.text} of ${row.name}`;
  blend.lastElementChild.alt = "";
  return cell;
}

function showDifference() {
  const select = find("difference");
  const on = select.selectedIndex > 0;
  find("extra").hidden = !on;
  find("extra").textContent = select.selectedOptions[0].text;
  gains[0].parentNode.hidden = !on;
  table.classList.toggle("differs", on);
  for (const row of shown.slice(0, attached)) withDifference(row);
}

find("filter").addEventListener("input", filterRows);
find("difference").addEventListener("change", showDifference);
find("size").addEventListener("input", (event) => {
  table.style.setProperty("--thumb", `${event.target.value}px`);
  fillWindow();
});
addEventListener("scroll", fillWindow, { passive: true });
addEventListener("resize", fillWindow);

// ---- Viewer: one image, slider, difference -------------------------------------------------------

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

// ---- Start ---------------------------------------------------------------------------------------

// All pictures of a run have one shape: the first that is loaded gives it to every frame.
function shapeFrames() {
  const first = body.querySelector(".image img");
  const shape = () => first.naturalHeight && table.style.setProperty("--ratio", first.naturalWidth / first.naturalHeight);
  first?.addEventListener("load", shape);
  if (first?.complete) shape();
}

document.documentElement.classList.add("live");
find("toolbar").hidden = rows.length === 0;
metric.closest(".group").hidden = metric.options.length === 0;
find("difference").closest("label").hidden = find("difference").options.length < 2;
new ResizeObserver(() => table.style.setProperty("--bar", `${find("toolbar").offsetHeight}px`)).observe(find("toolbar"));
if (metric.options.length) markSorted("", "");
filterRows();
shapeFrames();
