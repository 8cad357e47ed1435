"""A server between here and the API server, which says what a test wants."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from steps.kubernetes.cluster import Cluster


class Proxy(BaseHTTPRequestHandler):
    """A server between that says in its own words that it has no answer; `status` and `text` are those words.

    `texts` are other words for some paths, `drip_s` the time before each byte, `more` headers that it adds.
    """

    status, text, delay_s, drip_s, texts, more = 200, b"", 0.0, 0.0, {}, {}

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.set()
        self.server.release.wait(self.delay_s)
        status, text = self.texts.get(self.path, (self.status, self.text))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **self.more}.items():
            self.send_header(name, value)
        self.end_headers()
        for sign in text if self.drip_s else b"":
            if self.server.release.wait(self.drip_s):
                return
            self.wfile.write(bytes([sign]))
            self.wfile.flush()
        if not self.drip_s:
            self.wfile.write(text)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  the names that the base class calls

    def log_message(self, *_):
        pass


@pytest.fixture
def through(tmp_path, monkeypatch):
    """Connect to a server that answers as told."""
    servers = []

    def connect(timeout_s=5.0, tls=(), **answer):
        server = HTTPServer(("127.0.0.1", 0), type("Told", (Proxy,), answer))
        server.handle_error = lambda *_: None  # the client may be gone
        server.asked, server.release = threading.Event(), threading.Event()
        servers.append(server)
        place = {"server": f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"}
        if tls:
            own, trusted = tls
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(own)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            place |= {"certificate-authority": str(trusted)} if trusted else {"insecure-skip-tls-verify": True}
        cluster = {"name": "c", "cluster": place}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        users = [{"name": "u", "user": {"token": "t"}}]
        config = {"clusters": [cluster], "contexts": [context], "users": users, "current-context": "x"}
        (tmp_path / "kubeconfig").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return Cluster.connect("threescale", timeout_s)

    connect.servers = servers
    yield connect
    for server in servers:
        server.release.set()
        server.shutdown()
        server.server_close()
