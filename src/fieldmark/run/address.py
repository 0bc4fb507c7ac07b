"""Into a Ray cluster by its address; what does not answer as Ray, or asks for a token, says so within seconds."""

from __future__ import annotations

import os
import re
import socket
import threading
from typing import Any

from fieldmark.errors import BackendError

ANSWER = 5.0  # seconds in which an address must accept a connection, and say what it is
JOIN = 120.0  # seconds in which a cluster that answers must let us in; ray:// starts a process there
TRIES = 3  # of ray://, whose server on the head node now and then fails to start its process
HERE = {"auto", "local"}
CLIENT = "ray://"
HEAD_CALL, CLIENT_CALL = "/ray.rpc.NodeInfoGcsService/GetClusterId", "/ray.rpc.RayletDriver/ClusterInfo"
PASSED_ON = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")

_joined: str | None = None  # the address that this process is connected to


def join(address: str | None) -> Any:
    """The module ray, connected: to `address`, to RAY_ADDRESS, or to a cluster of this machine alone.

    Raises BackendError, one line, where ray is not installed, the address does not answer as Ray, or it asks for a
    token that is not there.
    """
    global _joined
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise BackendError("engine ray needs Ray: pip install 'fieldmark[ray]'") from None
    wanted = meant(address)
    if ray.is_initialized():
        if address and _joined and address != _joined:
            raise BackendError(f"Ray at {address}: this process is in the cluster {_joined}; ray.shutdown() leaves it")
        return ray
    knock(wanted)
    _let_in(ray, wanted)
    _joined = wanted
    return ray


def _let_in(ray: Any, wanted: str | None) -> None:
    where = f"Ray at {wanted}" if wanted else "Ray"
    for last in range(TRIES - 1, -1, -1):
        failed: list[BaseException] = []
        if wanted is None or wanted in HERE:  # here: what Ray starts is killed when the thread ends that started it
            _connect(ray, wanted, failed)
        else:
            waiting = threading.Thread(target=_connect, args=(ray, wanted, failed), daemon=True)
            waiting.start()
            waiting.join(JOIN)
            if waiting.is_alive():
                raise BackendError(f"{where}: no answer within {JOIN:.0f} seconds; see that a Ray head runs there")
        if not failed:
            return
        if isinstance(failed[0], KeyboardInterrupt):
            raise failed[0]
        if not last or "Starting Ray client server failed" not in str(failed[0]):
            raise BackendError(f"{where}: {reason(failed[0])}") from None


def _connect(ray: Any, address: str | None, failed: list[BaseException]) -> None:
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    try:
        here: dict[str, Any] = {"include_dashboard": False} if address in (None, "local") else {}
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", runtime_env={"env_vars": env}, **here)
    except BaseException as error:  # SystemExit too: this is not the thread that may end the process
        failed.append(error)


def meant(address: str | None) -> str | None:
    """The address, or RAY_ADDRESS where there is none."""
    return address or os.environ.get("RAY_ADDRESS") or None


def knock(address: str | None) -> None:
    """Raise BackendError, one line, unless a Ray head, or with ray:// its client server, answers at host:port."""
    if address is None or address in HERE:
        return
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not host or not port.isdigit():
        raise BackendError(f"Ray address {address!r}: expected host:port, ray://host:port or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        said = (getattr(error, "strerror", None) or str(error)).lower()
        raise BackendError(
            f"Ray at {address}: nothing answers ({said}); see that the head node runs, or leave the address out"
        ) from None
    as_client = address.startswith(CLIENT)
    answer = _answer(f"{host}:{port}", CLIENT_CALL if as_client else HEAD_CALL)
    if answer in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
        raise BackendError(f"Ray at {address}: what answers is no Ray; see that host and port are the head node's")
    if answer == "UNAUTHENTICATED":
        raise BackendError(
            f"Ray at {address}: the cluster asks for its token; set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or "
            "RAY_AUTH_TOKEN_PATH where ~/.ray/auth_token is not the cluster's"
        )
    if answer == "UNIMPLEMENTED" and _answer(f"{host}:{port}", HEAD_CALL if as_client else CLIENT_CALL) != answer:
        other = "a head node, and not its client server: leave ray:// out, or give that port (10001 if not set)"
        raise BackendError(f"Ray at {address}: {other if as_client else f'a client server: say {CLIENT}{address}'}")


def _answer(place: str, call: str) -> str:
    """The name of the gRPC status that an empty call gets within ANSWER seconds; "" where grpc is not installed."""
    try:
        import grpc
    except ImportError:  # Ray itself brings none along; only ray:// needs it
        return ""
    try:
        from ray._private.grpc_utils import init_grpc_channel  # with Ray's own token and certificates
    except ImportError:
        init_grpc_channel = grpc.insecure_channel
    try:
        with init_grpc_channel(place) as channel:
            channel.unary_unary(call)(b"", timeout=ANSWER)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def reason(error: BaseException) -> str:
    """The last line that says something, of an error that may hold a traceback of another machine."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line.partition("FieldmarkError: ")[2] or line for line in lines if re.search(r"^[\w.]*Error: ", line)]
    return (told or lines or [type(error).__name__])[-1][:300]
