// The client of --export_format web: runs the models in a worker of this page. SETUP is written by
// the export: {models, files}; without files everything is in script elements of the page.

let worker = null;
let broken = ""; // why the worker did not start
const waiting = new Map();

export const backend = {
  privacy: "Images stay in this browser.",
  device: "WebAssembly",

  async open(report) {
    report("Unpacking the runtime", 0);
    const source = SETUP.files
      ? SETUP.files.worker
      : URL.createObjectURL(new Blob([text("worker-script")], { type: "text/javascript" }));
    worker = new Worker(source); // from a file, Chromium starts classic workers only
    worker.onmessage = ({ data }) => settle(data);
    worker.onerror = (event) => fail(event.message || "The worker did not start.");
    const [script, wasm] = SETUP.files
      ? [await load(SETUP.files.runtime[0]), await load(SETUP.files.runtime[1], report)]
      : await Promise.all([unpack("runtime-script"), unpack("runtime-wasm")]);
    report("Starting the runtime", 0.5);
    await call({ kind: "start", script, wasm }, [script, wasm]);
    return SETUP.models.map((model, index) => ({ ...model, index, ready: false }));
  },

  // Loads a model that is used for the first time.
  async prepare(model, report) {
    if (model.ready) return;
    report("Loading the model", 0.6);
    const data = SETUP.files
      ? await load(SETUP.files.models[model.index], report)
      : await unpack(`model-${model.index}`);
    report("Preparing the model", 0.9);
    await call({ kind: "load", index: model.index, data }, [data]);
    model.ready = true;
    report("", 1);
  },

  async translate(model, canvas) {
    const { width, height } = canvas;
    const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer;
    const { result, ms } = await call({ kind: "run", index: model.index, pixels, width, height }, [pixels]);
    const image = document.createElement("canvas");
    [image.width, image.height] = [width, height];
    image.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(result), width, height), 0, 0);
    return { image, file: null, ms };
  },

  // After the first translation: WebGPU where there is one, it computes the same, and is faster.
  async improve(model) {
    const usable = SETUP.files && navigator.gpu && "Suspending" in WebAssembly;
    if (!usable || this.device !== "WebAssembly") return;
    this.device = "WebAssembly, WebGPU was tried";
    try {
      if (!(await navigator.gpu.requestAdapter())) return;
      const [script, wasm, data] = await Promise.all(
        [...SETUP.files.webgpu, SETUP.files.models[model.index]].map((name) => load(name)),
      );
      const { used } = await call({ kind: "improve", index: model.index, script, wasm, data }, [script, wasm, data]);
      if (used) this.device = "WebGPU";
    } catch (error) {
      console.info(`WebGPU is not used: ${error.message}`);
    }
  },
};

function call(message, transfer) {
  return new Promise((resolve, reject) => {
    if (broken) throw new Error(broken);
    const id = waiting.size ? Math.max(...waiting.keys()) + 1 : 1;
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, ...message }, transfer);
  });
}

function settle({ id, error, ...answer }) {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(answer);
}

function fail(reason) {
  broken = reason;
  for (const { reject } of waiting.values()) reject(new Error(reason));
  waiting.clear();
}

const text = (id) => document.getElementById(id).textContent;

// A script element's gzip in base64 as bytes.
async function unpack(id) {
  const coded = text(id);
  document.getElementById(id).remove(); // it is needed once, and is as large as the file
  const bytes = Uint8Array.fromBase64
    ? Uint8Array.fromBase64(coded)
    : Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// A file beside the page, with progress where its length is known.
async function load(name, report = () => {}) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name} cannot be loaded (${answer.status}).`);
  const total = Number(answer.headers.get("content-length"));
  const parts = [];
  let received = 0;
  const reader = answer.body.getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    parts.push(chunk.value);
    received += chunk.value.length;
    const megabytes = (received / 1e6).toFixed(1);
    report(`Loading ${name}: ${megabytes} MB`, total ? Math.min(received / total, 1) : undefined);
  }
  return new Blob(parts).arrayBuffer();
}
