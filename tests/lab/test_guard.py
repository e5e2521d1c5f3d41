"""The lab's server is asked as programs, other pages, other users and other machines may ask it.

`Visitor` asks as the lab's own page does, which passes; each test changes one thing.
"""

import socket

import pytest
from strangers import Visitor, ask

from glassnet.lab import guard as guard_module
from glassnet.lab.guard import Guard
from glassnet.lab.server import Server


class Idle:
    """A session in which nothing happens: what a request may pass is seen before it comes here."""

    def __init__(self):
        self.commands = []

    def command(self, message):
        self.commands.append(message)
        return {}

    def wait(self, seen, timeout):
        return seen

    def frame(self):
        raise AssertionError

    def close(self):
        pass


@pytest.fixture(scope="module")
def visitor():
    server = Server(Idle())
    yield Visitor(server)
    server.close()


def test_page_of_its_own_passes(visitor):
    assert visitor.get().status == 200
    assert "glassnet lab" in visitor.get().text
    assert visitor.get(visitor.folder + "socket.js").status == 200
    assert visitor.upgrade().status == 101


# ---- Where it listens -----------------------------------------------------------------------------


def test_server_is_bound_to_the_loopback_address_and_a_free_port(visitor):
    assert visitor.server.host == "127.0.0.1"
    assert visitor.server.port > 1023
    # The whole of 127.0.0.0/8 is this machine: a server on 0.0.0.0 would answer here.
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", visitor.port)) != 0


# ---- The token ------------------------------------------------------------------------------------


def test_printed_address_gives_a_cookie_for_the_page_and_no_more(visitor):
    answer = ask(visitor.port, f"/?token={visitor.guard.token}", {"Host": visitor.host})
    assert (answer.status, answer.headers["Location"]) == (303, visitor.folder)
    assert visitor.guard.token not in str(answer.headers)  # neither a history nor a referrer holds it
    cookie, *rules = answer.headers["Set-Cookie"].split("; ")
    assert cookie == f"glassnet_lab_{visitor.port}={visitor.guard.ticket}"
    # Cookies know no ports. For its unguessable path no other server on this machine is given it.
    assert set(rules) == {"HttpOnly", "SameSite=Strict", f"Path={visitor.folder}"}


def test_token_is_long_and_of_each_server_alone(visitor):
    other = Server(Idle())
    other.close()
    assert len(visitor.guard.token) >= 43  # 256 bits
    assert other.guard.token != visitor.guard.token


@pytest.mark.parametrize(
    "path", ["/", "/socket.js", "{}", "{}socket.js", "{}lab.js", "{}nothing", "/socket"]
)
def test_without_token_or_cookie_nothing_is_answered(visitor, path):
    answer = visitor.get(path.format(visitor.folder), Cookie=None)
    assert answer.status == 403
    assert answer.text == guard_module.NO_TOKEN


def test_without_cookie_there_is_no_upgrade(visitor):
    assert visitor.upgrade(Cookie=None).status == 403
    # A token in an address of a WebSocket would stand in logs.
    path = f"{visitor.folder}socket?token={visitor.guard.token}"
    assert visitor.upgrade(path, Cookie=None).status == 403


@pytest.mark.parametrize(
    "query",
    [
        "token=",
        "token",
        "token={short}",
        "token={token}x",
        "token={upper}",
        "token=%C3%A9",
        "token=a&token={token}",
        "token[]={token}",
        "Token={token}",
        "once={token}",
    ],
)
def test_wrong_tokens_are_refused(visitor, query):
    token = visitor.guard.token
    text = query.format(token=token, short=token[:-1], upper=token.swapcase())
    answer = ask(visitor.port, f"/?{text}", {"Host": visitor.host})
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "cookie", ["{name}=", "{name}={ticket}x", "{name}_={ticket}", "{name}={token}", "{name}=é"]
)
def test_wrong_cookies_are_refused(visitor, cookie):
    guard = visitor.guard
    text = cookie.format(name=guard.cookie, ticket=guard.ticket, token=guard.token)
    assert visitor.get(Cookie=text.encode()).status == 403
    assert visitor.upgrade(Cookie=text.encode()).status == 403


def test_cookie_is_found_among_others_of_any_form(visitor):
    others = f'a b=c; =; bad[name]="x"; {visitor.guard.cookie}=wrong; {visitor.cookie}; z'
    assert visitor.get(Cookie=others).status == 200


def test_secrets_are_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(a, b):
        compared.append((a, b))
        return a == b

    monkeypatch.setattr(guard_module.hmac, "compare_digest", compare)
    guard = Guard("t" * 43, 4711)
    scope = {"type": "http", "method": "GET", "query_string": b"token=no"}
    scope["headers"] = [(b"host", b"127.0.0.1:4711"), (b"cookie", f"{guard.cookie}=never".encode())]
    assert guard.refusal(scope) == guard_module.NO_TOKEN
    assert compared == [(b"never", guard.ticket.encode()), (b"no", guard.token.encode())]


def test_address_for_a_command_line_opens_the_page_once(visitor):
    # What a browser is started with stands in the list of processes, for all users to read.
    address = visitor.server.address_for_once()
    path = address.partition(visitor.host)[2]
    assert visitor.guard.token not in address
    assert ask(visitor.port, path, {"Host": visitor.host}, "HEAD").status == 403  # spends nothing
    answers = [ask(visitor.port, path, {"Host": visitor.host}) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 403]


# ---- DNS rebinding: mitmproxy, CVE-2018-14505 -------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "evil.example",
        "localhost.evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "evil.example:{port}#localhost",
        "localhost:{port}.evil.example",
        "127.0.0.1@evil.example:{port}",
        "localhost.:{port}",
        "127.1:{port}",
        "127.0.0.2:{port}",
        "0.0.0.0:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "LOCALHOST:{port}",
        "localhost",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:{port}0",
        "127.0.0.1:0{port}",
        " ",
        "",
    ],
)
def test_host_that_is_no_literal_loopback_name_with_the_port_is_refused(visitor, host):
    name = host.format(port=visitor.port)
    for answer in (visitor.get(Host=name), visitor.upgrade(Host=name, Origin=f"http://{name}")):
        assert answer.status in (400, 403)
        assert "evil" not in str(answer.headers)  # no header repeats what came


def test_host_is_needed_once(visitor):
    pairs = [("Host", visitor.host), ("Cookie", visitor.cookie)]
    assert ask(visitor.port, visitor.folder, pairs).status == 200
    assert ask(visitor.port, visitor.folder, pairs[1:]).status in (400, 403)
    assert ask(visitor.port, visitor.folder, [*pairs, ("Host", "evil.example")]).status in (400, 403)
    # HTTP/1.1 demands one, and h11 sees to it. The guard does not rely on that.
    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": []}
    two = [
        (b"host", visitor.host.encode()),
        (b"host", b"evil.example"),
        (b"cookie", visitor.cookie.encode()),
    ]
    assert visitor.guard.refusal(scope).startswith("The lab answers only to")
    assert visitor.guard.refusal(scope | {"headers": two}).startswith("The lab answers only to")


@pytest.mark.parametrize("name", ["localhost", "[::1]", "127.0.0.1"])
def test_each_literal_loopback_name_is_the_labs_own(visitor, name):
    host = f"{name}:{visitor.port}"
    assert visitor.get(Host=host).status == 200
    assert visitor.upgrade(Host=host, Origin=f"http://{host}").status == 101


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP"]
)
def test_headers_of_proxies_are_not_believed(visitor, header):
    value = "for=127.0.0.1;host=localhost" if header == "Forwarded" else "127.0.0.1"
    assert visitor.get(Host="evil.example", **{header.replace("-", "_"): value}).status == 403


# ---- Whoever comes from this machine is no friend for that: mitmproxy, CVE-2025-23217 --------------


def test_request_from_this_machine_needs_the_token_like_any_other(visitor):
    # A proxy here passes on what anybody sends it: right host, right address, and no secret.
    headers = {"Host": visitor.host, "X-Forwarded-For": "127.0.0.1"}
    for path in ("/", visitor.folder, f"http://{visitor.host}{visitor.folder}"):
        assert ask(visitor.port, path, headers).status in (400, 403)
    assert visitor.upgrade(Cookie=None).status == 403


# ---- Other pages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "none, cross-site", "nonsense"])
def test_requests_that_another_site_caused_are_refused(visitor, site):
    # "same-site" is every page of every other server on this machine, as sites know no ports.
    assert visitor.get(Sec_Fetch_Site=site).status == 403
    assert visitor.upgrade(Sec_Fetch_Site=site).status == 403
    answer = ask(
        visitor.port, f"/?token={visitor.guard.token}", {"Host": visitor.host, "Sec-Fetch-Site": site}
    )
    assert answer.status == 403  # not even with the token: a page may have it from a log


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_requests_of_the_page_of_a_user_and_of_old_browsers_pass(visitor, site):
    assert visitor.get(Sec_Fetch_Site=site).status == 200
    assert visitor.upgrade(Sec_Fetch_Site=site).status == 101


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://{host}",
        "http://localhost:{port}",
        "http://{host}/",
        "http://{host}:80",
        "HTTP://{host}",
        "http://x@{host}",
        "{host}",
        "file://",
        "http://evil.example http://{host}",
    ],
)
def test_upgrade_with_another_origin_or_none_is_refused(visitor, origin):
    # Jupyter's library took a missing Origin for a program that means well.
    text = origin and origin.format(host=visitor.host, port=visitor.port)
    assert visitor.upgrade(Origin=text).status == 403
    if origin:
        assert visitor.get(Origin=text).status == 403


def test_upgrade_needs_one_origin(visitor):
    ours = (b"origin", f"http://{visitor.host}".encode())
    headers = [(b"host", visitor.host.encode()), (b"cookie", visitor.cookie.encode())]
    scope = {"type": "websocket", "query_string": b""}
    assert visitor.guard.refusal(scope | {"headers": [*headers, ours]}) is None
    for origins in ([], [ours, ours], [ours, (b"origin", b"http://evil.example")]):
        assert visitor.guard.refusal(scope | {"headers": headers + origins}) == guard_module.WRONG_ORIGIN


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}.evil.example", "127.0.0.1.evil.example:{port}", "127.0.0.1:{port}evil"]
)
def test_origin_that_only_begins_like_the_labs_own_is_refused(visitor, host):
    # Bokeh, CVE-2026-21883: names were compared part by part, up to the end of the shorter one.
    origin = "http://" + host.format(port=visitor.port)
    assert visitor.upgrade(Origin=origin).status == 403
    assert visitor.upgrade(Origin=origin, Host=host.format(port=visitor.port)).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_than_reading_are_refused(visitor, method):
    answer = visitor.get(method=method, Origin=f"http://{visitor.host}", Content_Length="2", body=b"{}")
    assert answer.status == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_preflight_of_another_page_is_given_no_permission(visitor):
    answer = visitor.get(
        method="OPTIONS",
        Origin="http://evil.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Private_Network="true",
    )
    assert answer.status == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_reading_changes_no_state(visitor):
    for path in ("?do=play", "socket?do=play", "play", "socket", "command?do=reset"):
        visitor.get(visitor.folder + path)
    assert visitor.server.session.commands == []


# ---- What the browser is told ---------------------------------------------------------------------

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "require-trusted-types-for": "'script'",
}


@pytest.mark.parametrize("path", ["/", "{}", "{}socket.js", "{}nothing", "/?token={token}", "{}socket"])
@pytest.mark.parametrize("cookie", [True, False])
def test_each_answer_tells_the_browser_to_run_and_keep_nothing_else(visitor, path, cookie):
    path = path.replace("{}", visitor.folder).replace("{token}", visitor.guard.token)
    headers = visitor.get(path, **({} if cookie else {"Cookie": None})).headers
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy | POLICY == policy
    assert policy["connect-src"] == f"'self' ws://{visitor.host}"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Server" not in headers


def test_refused_upgrade_tells_the_browser_the_same(visitor):
    answer = visitor.upgrade(Origin="http://evil.example")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.text == guard_module.WRONG_ORIGIN


# ---- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../guard.py",
        "..%2Fguard.py",
        "%2e%2e/guard.py",
        "..%5Cguard.py",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "socket.js%00.html",
        "../page/index.html",
        "guard.py",
        ".",
        "..",
        "__init__.py",
    ],
)
def test_no_path_leads_out_of_the_page(visitor, name):
    assert visitor.get(visitor.folder + name).status in (400, 404)


def test_no_path_leads_to_another_site(visitor):
    # Jupyter, CVE-2020-26275: a path of two slashes, or a "next" in the query, led to another site.
    for path in (
        "//evil.example/",
        f"/?token={visitor.guard.token}&next=//evil.example",
        "/%2F/evil.example",
    ):
        answer = visitor.get(path)
        assert "evil" not in str(answer.headers)


# ---- Other machines -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("192.168.1.20:{}", True),
        ("127.0.0.1:{}", True),
        ("[fe80::1]:{}", True),
        ("localhost:{}", True),
        ("evil.example:{}", False),
        ("192.168.1.20.evil.example:{}", False),
        ("192.168.1.20:1", False),
        ("fe80::1:{}", False),
        ("[192.168.1.20]:{}", False),
        ("0x7f.1:{}", False),
        ("192.168.1:{}", False),
        ("192.168.001.020:{}", False),
    ],
)
def test_exposed_server_answers_to_addresses_in_numbers_alone(host, passes):
    guard = Guard("t" * 43, 4711, exposed=True)
    name = host.format(4711).encode()
    headers = [(b"host", name), (b"cookie", f"{guard.cookie}={guard.ticket}".encode())]
    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": headers}
    assert (guard.refusal(scope) is None) is passes
    if name.startswith(b"192"):
        assert Guard("t" * 43, 4711).refusal(scope) is not None


def test_guard_on_the_port_of_http_knows_that_browsers_leave_it_out():
    guard = Guard("t" * 43, 80)
    cookie = (b"cookie", f"{guard.cookie}={guard.ticket}".encode())
    scope = {"type": "http", "method": "GET", "query_string": b""}
    passes = {
        b"127.0.0.1": True,
        b"127.0.0.1:80": True,
        b"[::1]": True,
        b"evil.example": False,
        b"127.0.0.1:81": False,
    }
    found = {host: guard.refusal(scope | {"headers": [(b"host", host), cookie]}) is None for host in passes}
    assert found == passes
