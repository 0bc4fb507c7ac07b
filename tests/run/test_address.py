"""What answers at a Ray address is told apart within seconds: nothing, no Ray, a wrong port, a cluster with a token."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from fieldmark.errors import BackendError
from fieldmark.run.address import CLIENT_CALL, HEAD_CALL, knock

pytestmark = pytest.mark.no_framework
grpc = pytest.importorskip("grpc", reason="grpcio (extra `ray`) is not installed")
pytest.importorskip("ray", reason="ray (extra `ray`) is not installed")


@contextmanager
def answering(calls: Sequence[str], status: str | None = None) -> Iterator[str]:
    """The address of a server that knows these calls, and answers them, or ends them with a status."""

    class Handler(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(self.answer) if details.method in calls else None

        @staticmethod
        def answer(request: bytes, context: Any) -> bytes:
            if status is not None:
                context.abort(grpc.StatusCode[status], "no")
            return b""

    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def web_server() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    server.RequestHandlerClass.log_message = lambda *_: None  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("server", "scheme", "said"),
    [
        (web_server, "", "what answers is no Ray; see that host and port are the head node's"),
        (web_server, "ray://", "what answers is no Ray"),
        (lambda: answering([HEAD_CALL], "UNAUTHENTICATED"), "", "the cluster asks for its token; set RAY_AUTH"),
        (lambda: answering([CLIENT_CALL], "UNAUTHENTICATED"), "ray://", "the cluster asks for its token"),
        (lambda: answering([HEAD_CALL]), "ray://", "a head node, and not its client server: leave ray:// out"),
        (lambda: answering([CLIENT_CALL]), "", "a client server: say ray://127.0.0.1:"),
    ],
    ids=["no Ray", "no Ray for ray://", "a token", "a token for ray://", "the head's port", "the client server's port"],
)
def test_what_does_not_let_us_in_is_one_line_within_seconds(server: Callable[[], Any], scheme: str, said: str) -> None:
    with server() as place:
        started = time.monotonic()
        with pytest.raises(BackendError) as error:
            knock(f"{scheme}{place}")
    assert time.monotonic() - started < 20
    assert str(error.value).startswith(f"Ray at {scheme}{place}: {said}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("call", "scheme"), [(HEAD_CALL, ""), (CLIENT_CALL, "ray://")])
@pytest.mark.parametrize("status", [None, "NOT_FOUND", "UNIMPLEMENTED"])
def test_what_answers_as_ray_is_let_through(call: str, scheme: str, status: str | None) -> None:
    """Also with a call that this version of Ray does not know, as long as the other is not known either."""
    with answering([] if status == "UNIMPLEMENTED" else [call], status) as place:
        knock(f"{scheme}{place}")
