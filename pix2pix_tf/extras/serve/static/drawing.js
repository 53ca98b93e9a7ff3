// What is drawn: a list of steps that can be painted again, so that undo is a matter of taking one
// off. A step is {paint(context), size?}; one with a size begins the picture anew.

export class History {
  constructor(blank) {
    this.blank = blank;
    this.steps = [];
    this.undone = [];
  }

  push(step) {
    this.steps.push(step);
    this.undone = [];
  }

  undo() {
    if (this.steps.length) this.undone.push(this.steps.pop());
  }

  redo() {
    if (this.undone.length) this.steps.push(this.undone.pop());
  }

  // Whether nothing was ever drawn.
  get untouched() {
    return !this.steps.length && !this.undone.length;
  }

  // Whether there is nothing on the sheet.
  get empty() {
    return !this.steps.length || this.steps.at(-1) === this.blank;
  }

  // Makes open pictures anew from what they were opened as.
  resize(longest) {
    for (const list of [this.steps, this.undone]) {
      list.forEach((step, index) => (list[index] = step.fit?.(longest) ?? step));
    }
  }

  // Paints everything, then the step that is still being drawn.
  paint(canvas, unfinished) {
    const steps = unfinished ? [...this.steps, unfinished] : this.steps;
    const start = steps.findLastIndex((step) => step.size);
    const first = start < 0 ? this.blank : steps[start];
    [canvas.width, canvas.height] = first.size;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    for (const step of [first, ...steps.slice(start + 1)]) step.paint(context);
  }
}

export function fill(color, size = [256, 256]) {
  return {
    size,
    paint(context) {
      context.fillStyle = color;
      context.fillRect(0, 0, ...size);
    },
  };
}

// Whole pixels only: a blurred edge would be a colour that no class has.
function corners([x0, y0], [x1, y1]) {
  const left = Math.floor(Math.min(x0, x1));
  const top = Math.floor(Math.min(y0, y1));
  return [left, top, Math.ceil(Math.max(x0, x1)) - left, Math.ceil(Math.max(y0, y1)) - top];
}

export function box(color, from, to) {
  return {
    paint(context) {
      context.fillStyle = color;
      context.fillRect(...corners(from, to));
    },
  };
}

export function line(points, { color = "#000", width = 1 } = {}) {
  return {
    paint(context) {
      context.strokeStyle = context.fillStyle = color;
      context.lineWidth = width;
      context.lineCap = context.lineJoin = "round";
      context.beginPath();
      context.moveTo(...points[0]);
      for (const point of points) context.lineTo(...point);
      context.stroke();
    },
  };
}

// Several steps as one, on a blank of their own.
export function group(blank, steps) {
  return {
    size: blank.size,
    paint(context) {
      for (const step of [blank, ...steps]) step.paint(context);
    },
  };
}

// A picture, made smaller until its longer side fits.
export function picture(source, { width, height, longest, smooth = true }) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const size = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const copy = document.createElement("canvas");
  [copy.width, copy.height] = size;
  const context = copy.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, ...size);
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, ...size);
  return {
    size,
    paint: (target) => target.drawImage(copy, 0, 0),
    fit: (side) => picture(source, { width, height, longest: side, smooth }),
  };
}

// A handbag, for people who do not want to begin with an empty sheet.
export const HANDBAG = [
  [[58, 118], [50, 214], [62, 224], [194, 224], [206, 214], [198, 118], [58, 118]],
  [[58, 118], [72, 150], [184, 150], [198, 118]],
  [[86, 118], [88, 84], [102, 58], [128, 48], [154, 58], [168, 84], [170, 118]],
  [[97, 118], [99, 88], [110, 68], [128, 60], [146, 68], [157, 88], [159, 118]],
  [[118, 142], [118, 162], [138, 162], [138, 142]],
  [[62, 210], [194, 210]],
].map((points) => points.map((point) => point.map((value) => value + 0.5))); // centres of pixels

// Pointer, touch and keyboard as one: begin, move, end and cancel with a point in the canvas.
export class Hand {
  constructor(canvas, cursor, on) {
    Object.assign(this, { canvas, cursor, on, down: false, at: [0.5, 0.5] });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.down) return;
      canvas.setPointerCapture(event.pointerId);
      cursor.hidden = true;
      this.#begin(this.#point(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.down || !canvas.hasPointerCapture(event.pointerId)) return;
      for (const part of event.getCoalescedEvents?.() ?? [event]) on.move(this.#point(part));
    });
    canvas.addEventListener("pointerup", () => this.#end());
    canvas.addEventListener("pointercancel", () => this.cancel());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => (cursor.hidden = true));
  }

  cancel() {
    if (this.down) this.on.cancel();
    this.down = false;
    this.cursor.classList.remove("down");
  }

  #begin(point) {
    this.down = true;
    this.on.begin(point);
  }

  #end() {
    if (this.down) this.on.end();
    this.down = false;
  }

  #point(event) {
    const frame = this.canvas.getBoundingClientRect();
    const part = (value, start, length) => Math.min(1, Math.max(0, (value - start) / length));
    this.at = [part(event.clientX, frame.left, frame.width), part(event.clientY, frame.top, frame.height)];
    return this.#pixels();
  }

  #pixels() {
    return [this.at[0] * this.canvas.width, this.at[1] * this.canvas.height];
  }

  #key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (way) {
      const step = (event.shiftKey ? 1 : 8) / 256;
      this.at = this.at.map((value, axis) => Math.min(1, Math.max(0, value + way[axis] * step)));
      if (this.down) this.on.move(this.#pixels());
    } else if (event.key === " " || event.key === "Enter") {
      if (this.down) this.#end();
      else this.#begin(this.#pixels());
    } else {
      return;
    }
    event.preventDefault();
    this.cursor.hidden = false;
    this.cursor.classList.toggle("down", this.down);
    this.cursor.style.setProperty("--x", this.at[0]);
    this.cursor.style.setProperty("--y", this.at[1]);
  }
}
