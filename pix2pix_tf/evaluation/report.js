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
addEventListener("beforeprint", () => attach(shown.length));

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
