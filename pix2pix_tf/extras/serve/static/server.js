// The client of --mode serve: asks the server for translations.

export const backend = {
  privacy: "Images stay between this page and its server.",

  async open() {
    const answer = await ask("/page/models");
    return (await answer.json()).models;
  },

  async translate(model, canvas) {
    const body = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    const start = performance.now();
    const answer = await ask(`/${encodeURIComponent(model.name)}`, { method: "POST", body });
    const file = await answer.blob();
    const ms = performance.now() - start;
    return { image: await createImageBitmap(file), file, ms };
  },
};

async function ask(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer.");
  }
  if (answer.status === 503) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    throw Object.assign(new Error("The server is busy."), { retry: true });
  }
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}
