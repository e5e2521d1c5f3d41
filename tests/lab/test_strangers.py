"""Pages of others in a real Chromium whose user has the lab open: they read nothing and command nothing.

The attackers know more than they could: the port, the page's unguessable folder, even the token. Each
attack is made on a server without its guard too, where it succeeds: so it is the guard that it fails by.
"""

import http.server
import threading
from typing import ClassVar

import pytest

from glassnet.lab.guard import Guard

ATTACK = """async ({ lab, folder, token }) => {
  const got = {};
  const attempt = async (name, trial) => {
    const late = new Promise((done) => setTimeout(() => done(null), 5000));
    try { got[name] = await Promise.race([trial(), late]); } catch { got[name] = null; }
  };
  const read = async (path, settings) => {
    const answer = await fetch(lab + path, { credentials: "include", ...settings });
    return answer.ok ? answer.text() : null;
  };
  const element = (tag, settings) => new Promise((done) => {
    const made = document.createElement(tag);
    made.onload = () => done(made);
    made.onerror = () => done(null);
    document.body.append(Object.assign(made, settings));
  });
  await attempt("page", () => read(folder));
  await attempt("page by the token", () => read("/?token=" + token));
  await attempt("post", () => read(folder, { method: "POST", body: '{"do": "play"}' }));
  await attempt("script", async () => {
    const script = await element("script", { src: lab + folder + "socket.js", type: "module" });
    return script && "ran";
  });
  await attempt("style", async () => {
    const style = await element("link", { rel: "stylesheet", href: lab + folder + "lab.css" });
    return style && document.styleSheets.length > 0 && "applied";
  });
  await attempt("frame", async () => {
    const frame = await element("iframe", { src: lab + folder });
    return frame.contentDocument.querySelector("#lab") && "read";
  });
  for (const [name, scheme] of [["socket", ""], ["socket of a protocol", "x"]]) {
    await attempt(name, () => new Promise((done) => {
      const address = lab.replace("http", "ws") + folder + "socket";
      const socket = scheme ? new WebSocket(address, scheme) : new WebSocket(address);
      socket.onmessage = ({ data }) => { socket.send('{"id": 1, "do": "step"}'); done(data); };
      socket.onerror = () => done(null);
    }));
  }
  return got;
}"""


class Evil(http.server.BaseHTTPRequestHandler):
    """A page of somebody else's, which keeps what the browser sends to it."""

    cookies: ClassVar[list[str]] = []

    def do_GET(self):
        self.cookies.append(self.headers.get("Cookie") or "")
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>Kittens</title>")

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def evil():
    """The port of another server on this machine."""
    Evil.cookies.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def context(chromium):
    """A browser for which every name of evil.example leads to this machine."""
    browser = chromium(
        "--host-resolver-rules=MAP *.evil.example 127.0.0.1",
        # What this browser itself holds against sites that ask local machines, others do not.
        "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
    )
    with browser.new_context() as context:
        context.set_default_timeout(15_000)
        yield context


def attack(context, server, origin):
    """What a page of this origin gets from a server that the user of the browser has open."""
    page = context.new_page()
    page.goto(server.address)
    assert page.locator("#lab").count() == 1
    stranger = context.new_page()
    # The attacker's own server answers for its page; what its script asks for later goes where it goes.
    stranger.route(f"{origin}/attack", lambda route: route.fulfill(body="<title>Kittens</title>"))
    stranger.goto(f"{origin}/attack")
    lab = f"http://127.0.0.1:{server.port}" if "rebind" not in origin else origin
    secrets = {"folder": f"/{server.guard.folder}/", "token": server.guard.token}
    return stranger.evaluate(ATTACK, {"lab": lab, **secrets})


ORIGINS = {
    "another site": "http://www.evil.example:{evil}",
    "another server on this machine": "http://127.0.0.1:{evil}",
    "a name that leads here by DNS rebinding": "http://rebind.evil.example:{lab}",
}


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS.keys())
def test_page_of_another_origin_reads_and_commands_nothing(context, evil, serve, plain_page, origin):
    server = serve()
    got = attack(context, server, origin.format(evil=evil, lab=server.port))
    assert len(got) == 8
    assert {name: value for name, value in got.items() if value is not None} == {}
    assert server.session.command({"do": "pause"})["iteration"] == 0


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS.keys())
def test_same_page_gets_in_where_there_is_no_guard(context, evil, serve, plain_page, origin, monkeypatch):
    server = serve()
    monkeypatch.setattr(Guard, "refusal", lambda self, scope: None)
    got = attack(context, server, origin.format(evil=evil, lab=server.port))
    assert '"life"' in got["socket"]


def test_cookie_goes_to_no_other_server_on_this_machine(context, evil, serve, plain_page):
    server = serve()
    page = context.new_page()
    page.goto(server.address)
    assert [cookie["name"] for cookie in context.cookies(page.url)] == [server.guard.cookie]
    Evil.cookies.clear()
    page.goto(f"http://127.0.0.1:{evil}/")
    page.goto(f"http://127.0.0.1:{evil}/lab/socket")
    assert set(Evil.cookies) == {""}


def test_link_on_another_site_does_not_open_the_lab(context, evil, serve, plain_page):
    server = serve()
    page = context.new_page()
    page.goto(f"http://www.evil.example:{evil}/")
    for address in (server.address, f"http://127.0.0.1:{server.port}/{server.guard.folder}/"):
        with page.expect_navigation():
            page.evaluate("address => { location.href = address; }", address)
        assert "another site led here" in page.content()
        page.go_back()


def test_script_in_the_page_is_not_run(context, serve, plain_page):
    # Even text that got into the page as markup would run nothing, and could send nothing anywhere.
    server = serve()
    page = context.new_page()
    page.goto(server.address)
    refused = page.evaluate(
        """async () => {
          const refused = [];
          const fails = async (name, trial) => { try { await trial(); } catch { refused.push(name); } };
          const script = document.createElement("script");
          script.append("window.owned = true");
          document.body.append(script);
          await new Promise((done) => setTimeout(done));  // out of what the test's tool allows itself
          await fails("eval", () => (0, eval)("1"));
          await fails("markup", () => { document.body.innerHTML = "<img src=x onerror='owned = 1'>"; });
          await fails("fetch", () => fetch("http://www.evil.example:1/"));
          await fails("socket", () => new Promise((done, fail) => {
            const socket = new WebSocket("ws://www.evil.example:1/");
            socket.onopen = done;
            socket.onerror = fail;
          }));
          if (window.owned === undefined) refused.push("script");
          return refused;
        }"""
    )
    assert sorted(refused) == ["eval", "fetch", "markup", "script", "socket"]
