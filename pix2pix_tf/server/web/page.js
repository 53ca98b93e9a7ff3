// The page: wires the drawing to the server and the buttons to both.

import { Client } from "./client.js";
import { HANDBAG, Hand, History, box, fill, group, line, picture } from "./drawing.js";

const $ = (id) => document.getElementById(id);
const WHITE = fill("#fff");
const HINTS = {
  boxes: "Drag boxes",
  lines: "Draw the outlines",
  picture: "Drop, paste, open or take a picture",
};
const ERASER_WIDTH = 16;

const histories = { boxes: new History(WHITE), lines: new History(WHITE), picture: new History(WHITE) };
const state = { models: [], model: "", editor: "picture", color: "#000", palette: {}, file: null };
let unfinished = null;
let stream = null;

const history = () => histories[state.editor];
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;

const client = new Client(() => ({ model: state.model, canvas: $("input") }), {
  start: () => ($("busy").hidden = false),
  stop: () => ($("busy").hidden = true),
  done: show,
  fail: (text) => ($("message").textContent = text),
});

function show({ picture: result, sent, file, ms }) {
  for (const [canvas, source] of [[$("output"), result], [$("before"), sent]]) {
    [canvas.width, canvas.height] = [result.width, result.height];
    canvas.getContext("2d").drawImage(source, 0, 0, result.width, result.height);
  }
  state.file = file;
  $("save").disabled = false;
  $("took").textContent = `${result.width} × ${result.height}, ${Math.round(ms)} ms`;
  $("message").textContent = "";
  if (stream) takeFrame();
}

function repaint({ translate = true } = {}) {
  history().paint($("input"), unfinished);
  $("undo").disabled = !history().steps.length;
  $("redo").disabled = !history().undone.length;
  $("drop-hint").hidden = state.editor !== "picture" || history().steps.length > 0 || unfinished !== null;
  if (translate) client.request();
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
    if (unfinished) add(currentStep());
  },
  cancel() {
    unfinished = null;
    repaint();
  },
});

async function example() {
  if (state.editor === "lines") {
    add(group(WHITE, HANDBAG.map((points) => line(points))));
    return;
  }
  const number = Math.floor(Math.random() * 10000);
  const boxes = await (await fetch(`/page/facade/${number}`)).json();
  const steps = boxes.map(([label, left, top, right, bottom]) =>
    box(state.palette[label], [left, top], [right, bottom]));
  add(group(fill(state.palette.background), steps));
}

function clear() {
  hand.cancel();
  if (state.editor === "picture") stopCamera();
  add(history().blank);
}

// --- pictures ---

async function open(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    stopCamera();
    setEditor("picture");
    add(picture(bitmap, bitmap.width, bitmap.height, Number($("size").value)));
  } catch {
    $("message").textContent = `This browser cannot read ${file.name || "that"} as a picture.`;
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
  setEditor("picture");
  $("camera").setAttribute("aria-pressed", "true");
  $("camera").textContent = "Take it";
  camera.srcObject = stream;
  await camera.play();
  takeFrame();
}

const camera = document.createElement("video");
camera.muted = camera.playsInline = true;

function takeFrame() {
  unfinished = picture(camera, camera.videoWidth, camera.videoHeight, Number($("size").value));
  repaint();
}

function stopCamera() {
  if (!stream) return;
  for (const track of stream.getTracks()) track.stop();
  stream = unfinished = null;
  $("camera").setAttribute("aria-pressed", "false");
  $("camera").textContent = "Camera";
}

function save() {
  if (!state.file) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(state.file);
  link.download = `${state.model}.${state.file.type === "image/jpeg" ? "jpg" : "png"}`;
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
  $("example").hidden = editor === "picture";
  $("sources").hidden = editor !== "picture";
  $("input").classList.toggle("crisp", editor !== "picture");
  $("before").classList.toggle("crisp", editor !== "picture");
}

function useEditor(editor) {
  setEditor(editor);
  if (!history().steps.length && editor !== "picture") example();
  else repaint({ translate: history().steps.length > 0 });
}

function setModel(name) {
  const model = state.models.find((one) => one.name === name) ?? state.models[0];
  state.model = $("model").value = model.name;
  window.history.replaceState(null, "", `#${encodeURIComponent(model.name)}`);
  useEditor(model.editor);
}

function makePalette(palette) {
  Object.entries(palette).forEach(([name, rgb], index) => {
    state.palette[name] = `rgb(${rgb.join(" ")})`;
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "label", value: name });
    const swatch = document.createElement("i");
    swatch.style.backgroundColor = state.palette[name];
    const key = Object.assign(document.createElement("kbd"), { textContent: "1234567890-="[index] });
    label.append(radio, swatch, name, key);
    radio.addEventListener("change", () => (state.color = state.palette[name]));
    $("palette").append(label);
  });
  document.querySelector("input[name=label][value=window]").click();
}

// --- events ---

$("undo").addEventListener("click", () => { hand.cancel(); history().undo(); repaint(); });
$("redo").addEventListener("click", () => { hand.cancel(); history().redo(); repaint(); });
$("clear").addEventListener("click", clear);
$("example").addEventListener("click", example);
$("upload").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  if ($("file").files.length) open($("file").files[0]);
  $("file").value = "";
});
$("camera").addEventListener("click", toggleCamera);
$("save").addEventListener("click", save);
$("model").addEventListener("change", () => setModel($("model").value));
$("editors").addEventListener("change", () => useEditor(chosen("editor")));
$("compare").addEventListener("input", () => {
  $("output-stage").style.setProperty("--cut", `${$("compare").value}%`);
});
window.addEventListener("hashchange", () => setModel(decodeURIComponent(location.hash.slice(1))));

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
    const index = "1234567890-=".indexOf(key);
    if (state.editor === "boxes" && index >= 0) document.querySelectorAll("input[name=label]")[index]?.click();
  }
});

document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) open(file);
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", name === "dragenter" || name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
  });
}

async function begin() {
  const { models, palette } = await (await fetch("/page/models")).json();
  state.models = models;
  $("model").append(...models.map(({ name }) => new Option(name, name)));
  makePalette(palette);
  histories.boxes.blank = fill(state.palette.background);
  setModel(decodeURIComponent(location.hash.slice(1)));
}

begin().catch(() => ($("message").textContent = "The server does not answer."));
