"""Houses for the fuzz tests; one a module, because each of its tests asks hundreds of times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fuzz_house import ACME, ZETA, Running, keyed, opened
from provider.fixtures import ScriptedProvider
from redis import Redis

from serve_app.config.alerts_policy import AlertsPolicy
from serve_app.store.embedded import EmbeddedValkey

FAR = {"requests_per_minute": 10**6, "tokens_per_minute": 10**8, "budget": {"day": 10**6}}


class _Taker(BaseHTTPRequestHandler):
    """Takes messages about alerts."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def alerts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertsPolicy]:
    """With a channel `ops` that works."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    file = tmp_path_factory.mktemp("alerts") / "address"
    file.write_text(f"http://127.0.0.1:{server.server_port}/")
    channel = {"name": "ops", "kind": "webhook", "url_file": str(file)}
    yield AlertsPolicy.model_validate({"channels": [channel]})
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def house(
    valkey: EmbeddedValkey, provider_process: ScriptedProvider, alerts: AlertsPolicy
) -> Iterator[Running]:
    """A house of two tenants; one has limits that it never reaches, so that they are counted."""
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    provider_process.reset()
    rules = keyed(ACME.entry(limits=FAR), ZETA.entry()).model_copy(update={"alerts": alerts})
    with opened(provider_process, valkey.url, rules) as running:
        yield running
