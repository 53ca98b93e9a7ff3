// The page: wires the drawing to the translations and the buttons to both.

import { Client } from "./client.js";
import { HANDBAG, Hand, History, box, fill, group, line, picture } from "./drawing.js";
import { backend } from "./server.js";

const $ = (id) => document.getElementById(id);
const WHITE = fill("#fff");
const HINTS = {
  boxes: "Drag boxes",
  lines: "Draw the outlines",
  picture: "Drop, paste, open or take a picture",
};
const ERASER_WIDTH = 16;
const KEYS = "1234567890-=";

const histories = { boxes: new History(WHITE), lines: new History(WHITE), picture: new History(WHITE) };
const state = { models: [], model: null, editor: "picture", color: "#000", hasOutput: false, file: null };
let unfinished = null;
let stream = null;

const history = () => histories[state.editor];
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;
const css = (rgb) => `rgb(${rgb.join(" ")})`;
const longest = () => Number($("size").value);

const client = new Client(() => ({ model: state.model, canvas: $("input") }), {
  start: () => ($("busy").hidden = false),
  stop: () => ($("busy").hidden = true),
  done: show,
  fail: (text) => {
    $("message").textContent = text;
    $("loading").hidden = true;
  },
  load: showProgress,
});

function showProgress(text, part) {
  $("loading").hidden = !text;
  $("loading-text").textContent = text;
  if (part === undefined) $("progress").removeAttribute("value");
  else $("progress").value = part;
}

function show({ image, sent, file, ms }) {
  for (const [canvas, source] of [[$("output"), image], [$("before"), sent]]) {
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext("2d").drawImage(source, 0, 0, image.width, image.height);
  }
  Object.assign(state, { hasOutput: true, file });
  $("save").disabled = false;
  $("took").textContent = `${image.width} × ${image.height}, ${Math.round(ms)} ms`;
  $("took").title = backend.device ?? "";
  $("message").textContent = "";
  if (stream) takeFrame();
}

function showNothing() {
  client.drop();
  for (const canvas of [$("output"), $("before")]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  Object.assign(state, { hasOutput: false, file: null });
  $("save").disabled = true;
  $("took").textContent = "";
}

function repaint() {
  history().paint($("input"), unfinished);
  $("undo").disabled = !history().steps.length;
  $("redo").disabled = !history().undone.length;
  const empty = state.editor === "picture" && history().empty && !unfinished;
  $("drop-hint").hidden = !empty;
  if (empty) showNothing();
  else client.request();
}

function add(step) {
  unfinished = null;
  history().push(step);
  repaint();
}

// --- drawing ---

let stroke = [];

function currentStep() {
  if (state.editor === "boxes") return box(state.color, stroke[0], stroke.at(-1));
  const eraser = state.editor === "lines" && chosen("pen") === "eraser";
  return line([...stroke], eraser ? { color: "#fff", width: ERASER_WIDTH } : {});
}

const hand = new Hand($("input"), $("cursor"), {
  begin(point) {
    if (state.editor === "picture") return;
    stroke = [point];
    if (state.editor === "lines") this.move(point);
  },
  move(point) {
    if (state.editor === "picture") return;
    stroke.push(point);
    unfinished = currentStep();
    repaint();
  },
  end() {
    if (unfinished && state.editor !== "picture") add(currentStep());
  },
  cancel() {
    unfinished = null;
    repaint();
  },
});

function example() {
  if (state.editor === "lines") {
    add(group(WHITE, HANDBAG.map((points) => line(points))));
    return;
  }
  const { examples, palette } = state.model;
  const boxes = examples[Math.floor(Math.random() * examples.length)];
  const steps = boxes.map(([label, left, top, right, bottom]) =>
    box(css(palette[label]), [left, top], [right, bottom]));
  add(group(history().blank, steps));
}

function clear() {
  hand.cancel();
  stopCamera();
  add(history().blank);
}

// --- pictures ---

async function openFile(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    stopCamera();
    hand.cancel();
    // A label map keeps its colours: no class has those between two.
    const smooth = state.editor !== "boxes";
    add(picture(bitmap, { width: bitmap.width, height: bitmap.height, longest: longest(), smooth }));
  } catch {
    $("message").textContent = `This browser cannot read ${file.name || "that"} as an image.`;
  }
}

async function toggleCamera() {
  if (stream) {
    const last = unfinished;
    stopCamera();
    if (last) add(last);
    return;
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1024 } } });
  } catch (error) {
    $("message").textContent = `No camera: ${error.message}`;
    return;
  }
  $("camera").setAttribute("aria-pressed", "true");
  $("camera").textContent = "Take it";
  camera.srcObject = stream;
  await camera.play();
  takeFrame();
}

const camera = document.createElement("video");
camera.muted = camera.playsInline = true;

function takeFrame() {
  const frame = document.createElement("canvas");
  [frame.width, frame.height] = [camera.videoWidth, camera.videoHeight];
  frame.getContext("2d").drawImage(camera, 0, 0);
  unfinished = picture(frame, { width: frame.width, height: frame.height, longest: longest() });
  repaint();
}

function stopCamera() {
  if (!stream) return;
  for (const track of stream.getTracks()) track.stop();
  stream = unfinished = null;
  $("camera").setAttribute("aria-pressed", "false");
  $("camera").textContent = "Camera";
}

const toFile = (canvas) => new Promise((resolve) => canvas.toBlob(resolve, "image/png"));

async function save(name, file) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${name}.${file.type === "image/jpeg" ? "jpg" : "png"}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// --- choices ---

function setEditor(editor) {
  if (editor !== "picture") stopCamera();
  hand.cancel();
  state.editor = editor;
  document.querySelector(`input[name=editor][value=${editor}]`).checked = true;
  $("hint").textContent = HINTS[editor];
  $("palette").hidden = editor !== "boxes";
  $("pens").hidden = editor !== "lines";
  $("example").hidden = !hasExample(editor);
  $("sources").hidden = editor !== "picture";
  $("input").classList.toggle("crisp", editor !== "picture");
  $("before").classList.toggle("crisp", editor !== "picture");
  if (history().untouched && hasExample(editor)) example();
  else repaint();
}

// Only what the model was trained on is worth an example.
function hasExample(editor) {
  if (editor === "lines") return state.model.editor === "lines";
  return editor === "boxes" && Boolean(state.model.examples);
}

function setModel(name) {
  const model = state.models.find((one) => one.name === name) ?? state.models[0];
  const changed = model !== state.model;
  state.model = model;
  $("model").value = model.name;
  window.history.replaceState(null, "", `#${encodeURIComponent(model.name)}`);
  document.title = `pix2pix: ${model.name}`;
  $("name").textContent = state.models.length < 2 ? model.name : "";
  $("from").textContent = model.from ?? "";
  $("to").textContent = model.to ?? "";
  if (changed) makePalette(model.palette);
  const boxes = document.querySelector("input[name=editor][value=boxes]");
  boxes.parentElement.hidden = !model.palette;
  setEditor(model.editor);
}

function makePalette(palette) {
  for (const label of document.querySelectorAll("#palette label")) label.remove();
  Object.entries(palette ?? {}).forEach(([name, rgb], index) => {
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "label", value: name });
    const swatch = document.createElement("i");
    swatch.style.backgroundColor = css(rgb);
    const words = Object.assign(document.createElement("span"), { textContent: name });
    const key = Object.assign(document.createElement("kbd"), { textContent: KEYS[index] ?? "" });
    label.append(radio, swatch, words, key);
    radio.addEventListener("change", () => (state.color = css(rgb)));
    $("palette").append(label);
  });
  const colors = Object.values(palette ?? {});
  histories.boxes = new History(fill(colors.length ? css(colors[0]) : "#fff"));
  const radios = document.querySelectorAll("input[name=label]");
  (radios[2] ?? radios[0])?.click(); // the first is the background
}

function nameInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return ""; // no valid address
  }
}

// --- events ---

$("undo").addEventListener("click", () => { hand.cancel(); history().undo(); repaint(); });
$("redo").addEventListener("click", () => { hand.cancel(); history().redo(); repaint(); });
$("clear").addEventListener("click", clear);
$("example").addEventListener("click", example);
$("upload").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  if ($("file").files.length) openFile($("file").files[0]);
  $("file").value = "";
});
$("camera").addEventListener("click", toggleCamera);
$("save").addEventListener("click", async () => {
  if (state.hasOutput) save(state.model.name, state.file ?? (await toFile($("output"))));
});
$("save-drawing").addEventListener("click", async () => {
  save(`${state.model.name}-drawing`, await toFile($("input")));
});
$("size").addEventListener("change", () => {
  for (const one of Object.values(histories)) one.resize(longest());
  repaint();
});
$("model").addEventListener("change", () => setModel($("model").value));
$("editors").addEventListener("change", () => setEditor(chosen("editor")));
$("compare").addEventListener("input", () => {
  $("output-stage").style.setProperty("--cut", $("compare").value / 100);
});
window.addEventListener("hashchange", () => setModel(nameInAddress()));

document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    const action = { z: event.shiftKey ? "redo" : "undo", y: "redo", s: "save" }[key];
    if (!action) return;
    event.preventDefault();
    $(action).click();
  } else if (key === "escape") {
    hand.cancel();
  } else if (!event.altKey && !(event.target instanceof HTMLSelectElement)) {
    const index = KEYS.indexOf(key);
    if (state.editor === "boxes" && index >= 0) document.querySelectorAll("input[name=label]")[index]?.click();
  }
});

document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) openFile(file);
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", name === "dragenter" || name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) openFile(event.dataTransfer.files[0]);
  });
}

async function begin() {
  $("privacy").textContent = backend.privacy;
  state.models = await backend.open(showProgress);
  $("model").append(...state.models.map(({ name }) => new Option(name, name)));
  $("model").parentElement.hidden = state.models.length < 2;
  setModel(nameInAddress());
}

begin().catch((error) => {
  $("message").textContent = error.message;
  $("loading").hidden = true;
});
