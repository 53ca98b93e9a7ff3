// One translation at a time, and always of the latest drawing.

import { backend } from "./server.js";

const PAUSE = 50; // ms between a change and its translation, in which further changes are gathered

export class Client {
  // snapshot() gives {model, canvas}; on has start(), stop(), done({image, sent, file, ms}), fail(text)
  // and load(text, part).
  constructor(snapshot, on) {
    Object.assign(this, { snapshot, on, wanted: false, running: false });
  }

  request() {
    this.wanted = true;
    if (!this.running) this.#run();
  }

  // What was asked for is not wanted any more.
  drop() {
    this.wanted = false;
    this.dropped = true;
  }

  async #run() {
    this.running = true;
    this.on.start();
    while (this.wanted) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      if (!this.wanted) break;
      this.wanted = this.dropped = false;
      try {
        await this.#translate();
      } catch (error) {
        if (error.retry) this.wanted = true;
        else this.on.fail(error.message);
      }
    }
    this.running = false;
    this.on.stop();
  }

  async #translate() {
    const { model, canvas } = this.snapshot();
    if (!model) return;
    await backend.prepare?.(model, this.on.load);
    const sent = await createImageBitmap(canvas);
    const found = await backend.translate(model, canvas);
    // A model that was chosen meanwhile will answer for itself.
    if (this.snapshot().model === model && !this.dropped) this.on.done({ ...found, sent });
    backend.improve?.(model);
  }
}
