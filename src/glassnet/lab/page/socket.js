// The page's end of the connection to Python: what a widget's model is in a notebook, over a WebSocket.

import lab from "./lab.js";

// The longest message, in bytes: the server ends the connection for a longer one.
const MOST_BYTES = 9_000_000;
// The code by which the server says that it will not talk to this page, in the words that come with it.
const TOO_MANY = 4008;
const FIRST_WAIT = 250;
const LONGEST_WAIT = 4_000;

const line = document.getElementById("connection");
const listeners = new Set();
const unanswered = new Set();

let socket = null;
let life = null;
let drawn = false;
let wait = FIRST_WAIT;
let timer = 0;

function say(words) {
  line.textContent = words;
  line.hidden = words === "";
}

function hear(message, buffers = []) {
  for (const listener of [...listeners]) listener(message, buffers);
}

function refuse(id, words) {
  unanswered.delete(id);
  queueMicrotask(() => hear({ id, answer: { error: words } }));
}

function frameOf(data) {
  const length = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  return [header, [new DataView(data, 4 + length)]];
}

function receive({ data }) {
  if (data instanceof ArrayBuffer) {
    hear(...frameOf(data));
    return;
  }
  const message = JSON.parse(data);
  if (message.life !== undefined) {
    // Another life means that Python began anew: so does the page, with nothing of what was.
    if (life !== null && life !== message.life) location.reload();
    life = message.life;
    wait = FIRST_WAIT;
    say("");
    begin();
    return;
  }
  unanswered.delete(message.id);
  hear(message);
}

// Draw the page, which then asks for the first frame; after a connection that was lost, ask for the newest.
function begin() {
  if (drawn) {
    model.send({ do: "taken" });
  } else {
    drawn = true;
    lab.render({ model, el: document.getElementById("lab") });
  }
}

async function lost({ code, reason }) {
  socket = null;
  for (const id of [...unanswered]) refuse(id, "The connection to Python was lost before the answer came.");
  if (code === TOO_MANY) {
    say(reason);
  } else if (await forgotten()) {
    say("The lab was started anew and does not know this page. Open the address that it printed last.");
  } else {
    say("The connection to Python is lost: the lab may have been stopped. This page goes on once it is back.");
  }
  clearTimeout(timer);
  timer = setTimeout(connect, wait);
  wait = Math.min(2 * wait, LONGEST_WAIT);
}

// Whether there is a server that does not take this page's cookie.
async function forgotten() {
  try {
    return (await fetch("./", { method: "HEAD", cache: "no-store" })).status === 403;
  } catch {
    return false;
  }
}

function connect() {
  clearTimeout(timer);
  if (socket !== null) return;
  const address = new URL("socket", location.href);
  address.protocol = "ws:";
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onmessage = receive;
  socket.onclose = lost;
}

const model = {
  send(message) {
    const text = JSON.stringify(message);
    const bytes = new TextEncoder().encode(text).length;
    if (bytes > MOST_BYTES) {
      const size = `${(bytes / 1e6).toFixed(1)} MB`;
      refuse(message.id, `This is ${size}, and a page sends at most ${MOST_BYTES / 1e6} MB at once.`);
    } else if (socket === null || socket.readyState !== WebSocket.OPEN) {
      if (message.id !== undefined) refuse(message.id, "There is no connection to Python at the moment.");
    } else {
      if (message.id !== undefined) unanswered.add(message.id);
      socket.send(text);
    }
  },
  on(event, listener) {
    if (event === "msg:custom") listeners.add(listener);
  },
  off(event, listener) {
    if (listener === undefined) listeners.clear();
    else listeners.delete(listener);
  },
};

// A page that comes back to the front, or a machine that wakes up, need not wait for the next try.
for (const [target, event] of [[window, "online"], [document, "visibilitychange"]]) {
  target.addEventListener(event, () => {
    if (document.visibilityState === "visible") connect();
  });
}

// A page that is left, and one that the browser holds ready for the way back, lets go of its session.
window.addEventListener("pagehide", () => {
  if (socket !== null) socket.onclose = null;
  socket?.close();
  socket = null;
});
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) connect();
});

connect();
