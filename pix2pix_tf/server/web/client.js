// Asks the server for translations: one request at a time, and always of the latest drawing.

const PAUSE = 50; // ms between a change and its request, in which further changes are gathered

export class Client {
  // snapshot() gives {model, canvas}; on has start(), done(picture, sent, ms) and fail(text).
  constructor(snapshot, on) {
    Object.assign(this, { snapshot, on, wanted: false, running: false });
  }

  request() {
    this.wanted = true;
    if (!this.running) this.#run();
  }

  async #run() {
    this.running = true;
    this.on.start();
    while (this.wanted) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      this.wanted = false;
      try {
        await this.#translate();
      } catch (error) {
        if (error.retry) this.wanted = true;
        else this.on.fail(error instanceof TypeError ? "The server does not answer." : error.message);
      }
    }
    this.running = false;
    this.on.stop();
  }

  async #translate() {
    const { model, canvas } = this.snapshot();
    if (!model) return;
    const sent = await createImageBitmap(canvas);
    const body = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    const start = performance.now();
    const answer = await fetch(`/${encodeURIComponent(model)}`, { method: "POST", body });
    if (answer.status === 503) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      throw Object.assign(new Error("busy"), { retry: true });
    }
    if (!answer.ok) throw new Error((await answer.json()).error);
    const file = await answer.blob();
    const ms = performance.now() - start;
    const picture = await createImageBitmap(file);
    // A model that was chosen meanwhile will answer for itself.
    if (this.snapshot().model === model) this.on.done({ picture, sent, file, ms });
  }
}
