"""Start Ray on this machine, or join a cluster, and run workers in it as Ray actors; the only importer of Ray.

A started Ray listens on loopback alone, without its dashboard, and sends no usage statistics.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harvest import __version__
from harvest.distributed.download_actor import DownloadActor
from harvest.distributed.remote_worker import WorkerLost
from harvest.distributed.sharded_workers import ShardedWorkers
from harvest.errors import OutOfResources, UsageError, name_missing_packages
from harvest.harvesting.worker_settings import DownloadSettings, make_local_workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from harvest.distributed.jobs import DownloadJob, WorkerReport
    from harvest.harvesting.worker_settings import MakeWorkers

T = TypeVar("T")

ADDRESS_VARIABLE = "RAY_ADDRESS"
_STORE_BYTES = 256 * 2**20  # of shared memory for reports on their way; one has 8 MB
_START_SECONDS = "120"  # for Ray's first server, whose default of 30 is not enough on a busy machine
_CONNECT_SECONDS = 20.0  # for the head node of a cluster to accept a connection
_CLOSE_SECONDS = 2.0  # for a worker to store what it learnt about hosts


def require_ray() -> None:
    """Raise `UsageError` if Ray is not installed."""
    if find_spec("ray") is None:
        raise UsageError(f"--workers ray needs {name_missing_packages(['ray'])}.", "pip install 'classharvest[ray]'")


@contextmanager
def open_cluster(address: str | None, count: int | None) -> Iterator[MakeWorkers]:
    """Join the cluster at an address, or start Ray here; yield what makes the workers of a run in it."""
    if address and "://" in address:
        raise UsageError(
            f"{address} is not the address of a Ray cluster for --workers ray.",
            "Use host:port, or auto on a node of the cluster. The Ray client (ray://) is not supported.",
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:
        # Read when Ray is imported. Ray would replace 127.0.0.1 by an address that other machines reach; without
        # "clusters", on any system, all of its servers listen on loopback.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", _START_SECONDS)
        set_token()
    import ray  # noqa: PLC0415 - an extra

    is_joined = ray.is_initialized()  # by a notebook, which keeps it
    if not is_joined:
        _connect(ray, address, count)
    try:
        workers = count or _count_cpus(ray)

        def make_workers(settings: DownloadSettings, say: Callable[[str], None]) -> ShardedWorkers:
            actor = ray.remote(DownloadActor).options(num_cpus=1, scheduling_strategy="SPREAD")
            return ShardedWorkers(
                lambda: RayWorker(actor, settings),
                workers,
                make_local_workers(settings, say),
                trusted=settings.trusted,
                say=say,
                connections=settings.limits.connections,
            )

        yield make_workers
    finally:
        if not is_joined:
            ray.shutdown()


def set_token() -> None:
    """Give the Ray of this process a token, unless the user has one.

    Ray would write a token into the home folder, which may be read-only, and read it only once: where the home folder
    is another one later, no second Ray would start in this process.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    is_named = any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if not is_named and not (Path.home() / ".ray" / "auth_token").exists():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _check_reachable(address: str) -> None:
    """Raise `OutOfResources` if nothing accepts connections at `host:port`: Ray itself would retry for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return  # `auto`, or something that Ray refuses at once
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise OutOfResources(
            f"There is no Ray cluster at {address}: {error}",
            "Check the address and the port (6379 unless `ray start --head --port` set another), that Ray runs there "
            "(`ray status`), and that no firewall is between.",
        ) from error


def _connect(ray: Any, address: str | None, count: int | None) -> None:
    own: dict[str, Any] = {
        "address": "local",
        "num_cpus": count or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "include_dashboard": False,
        "object_store_memory": _STORE_BYTES,
    }
    if address:
        _check_reachable(address)
    with _keep_signal_handlers():
        try:
            ray.init(**({"address": address} if address else own), configure_logging=False, log_to_driver=False)
        except Exception as error:  # Ray raises this class itself
            reason = " ".join(str(error).split())[:300]
            if address:
                raise UsageError(f"The Ray cluster at {address} cannot be joined: {reason}") from error
            raise OutOfResources(f"Ray cannot be started on this machine: {reason}") from error


def _count_cpus(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


@contextmanager
def _keep_signal_handlers() -> Iterator[None]:
    """Undo that Ray handles SIGTERM: harvest ends in an orderly way by its own handler."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class RayWorker:
    """A `DownloadActor` in a process of its own, somewhere in the cluster."""

    def __init__(self, actor: Any, settings: DownloadSettings) -> None:
        self._actor = actor.remote(settings)

    async def start(self) -> None:
        """Wait until the cluster has a free CPU and the process runs there."""
        version, _ = await _wait(self._actor.start.remote())
        if version != __version__:
            raise WorkerLost(f"a node has harvest {version}, and this is {__version__}")

    async def add(self, jobs: Sequence[DownloadJob]) -> None:
        """Give jobs to the worker."""
        await _wait(self._actor.add.remote(jobs))

    async def collect(self) -> WorkerReport:
        """Wait for the next report."""
        return await _wait(self._actor.collect.remote())

    async def stop(self) -> None:
        """Cancel what is not downloaded yet."""
        await _wait(self._actor.stop.remote())

    async def close(self) -> None:
        """End the process, also where it is only out of reach: no other worker may ask its hosts beside it."""
        import ray  # noqa: PLC0415 - an extra

        with suppress(WorkerLost, TimeoutError):
            await asyncio.wait_for(_wait(self._actor.close.remote()), _CLOSE_SECONDS)
        with suppress(ray.exceptions.RayError, ValueError, RuntimeError):
            ray.kill(self._actor)


async def _wait(reference: Awaitable[T]) -> T:
    """Wait for the result of a call; any failure makes the worker a lost one."""
    import ray  # noqa: PLC0415 - an extra

    try:
        return await reference
    except (ray.exceptions.RayError, ConnectionError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise WorkerLost(lines[-1].strip()[:300]) from error
