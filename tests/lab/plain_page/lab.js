// A page in the form of lab.js that shows what it hears as text: the tests of the server and of its
// connection depend on no other page.

export default {
  render({ model, el }) {
    const state = document.createElement("p");
    state.setAttribute("role", "status");
    const answers = document.createElement("ol");
    answers.setAttribute("aria-label", "Answers");
    el.append(state, answers);
    let frames = 0;
    model.on("msg:custom", (message, buffers) => {
      if (message.frame !== undefined) {
        requestAnimationFrame(() => {
          const { number, iteration, loss } = message.frame;
          const bytes = buffers[0].byteLength;
          frames += 1;
          state.dataset.frames = frames;
          state.dataset.number = number;
          state.textContent = `iteration ${iteration}, loss ${loss}, ${bytes} bytes`;
          if (document.body.dataset.asleep === undefined) model.send({ do: "taken" });
        });
      } else {
        const item = document.createElement("li");
        item.textContent = JSON.stringify(message);
        answers.append(item);
      }
    });
    window.model = model;
    model.send({ do: "taken" });
  },
};
