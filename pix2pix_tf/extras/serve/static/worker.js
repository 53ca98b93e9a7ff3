// Runs ONNX Runtime Web beside the page, so that drawing never waits for a translation.

let ort = null;
const sessions = new Map();

async function start(script, wasm) {
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const runtime = await import(address);
  URL.revokeObjectURL(address);
  runtime.env.wasm.numThreads = 1; // several need headers that static hosts do not send
  runtime.env.wasm.wasmBinary = wasm;
  runtime.env.logLevel = "error";
  return runtime;
}

async function translate(session, runtime, { pixels, width, height }) {
  const tensor = new runtime.Tensor("uint8", new Uint8Array(pixels), [height, width, 4]);
  const begin = performance.now();
  const { result } = await session.run({ pixels: tensor });
  const data = await result.getData();
  return { result: data.slice().buffer, ms: performance.now() - begin };
}

// Squares of many colours: two runtimes agree on a model if they agree on these.
function probe(side) {
  const pixels = new Uint8Array(side * side * 4);
  for (let at = 0; at < side * side; at++) {
    const square = (Math.floor(at / side / 16) * 37 + Math.floor((at % side) / 16) * 101) % 256;
    pixels.set([square, (square * 7) % 256, (square * 13) % 256, 255], 4 * at);
  }
  return pixels.buffer;
}

const actions = {
  async start({ script, wasm }) {
    ort = await start(script, wasm);
  },

  async load({ index, data }) {
    const session = await ort.InferenceSession.create(new Uint8Array(data), { executionProviders: ["wasm"] });
    sessions.set(index, { session, runtime: ort });
  },

  async run({ index, ...image }) {
    const { session, runtime } = sessions.get(index);
    return translate(session, runtime, image);
  },

  async improve({ index, script, wasm, data }) {
    const runtime = await start(script, wasm);
    const session = await runtime.InferenceSession.create(new Uint8Array(data), { executionProviders: ["webgpu"] });
    const side = 256;
    const image = () => ({ pixels: probe(side), width: side, height: side });
    const usual = sessions.get(index);
    const expected = await translate(usual.session, usual.runtime, image());
    await translate(session, runtime, image()); // compiles its shaders
    const received = await translate(session, runtime, image());
    const [a, b] = [new Uint8Array(expected.result), new Uint8Array(received.result)];
    const used = a.every((value, at) => Math.abs(value - b[at]) <= 1) && received.ms < expected.ms;
    if (used) sessions.set(index, { session, runtime });
    else await session.release();
    return { used };
  },
};

self.onmessage = async ({ data: { id, kind, ...message } }) => {
  try {
    const answer = (await actions[kind](message)) ?? {};
    self.postMessage({ id, ...answer }, answer.result ? [answer.result] : []);
  } catch (error) {
    self.postMessage({ id, error: `${error.message ?? error}` });
  }
};
