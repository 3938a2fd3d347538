"""From a directory and a class path to the command that is the broker."""

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dunlin.kafka_server.settings import JVM_FLAGS, LOG4J, server_properties
from dunlin.stack.ports import free_ports, is_open, refuse_taken


class KafkaFailedError(Exception):
    """Kafka or its tools ended with an error; the message says where the reason is written."""


@dataclass(frozen=True)
class Jvm:
    """A Java program and a class path: what every start of Kafka has in common."""

    java: Path
    jars: tuple[Path, ...]

    @property
    def class_path(self) -> str:
        """The class path in the order of the pinned list; the AOT cache depends on this order."""
        return os.pathsep.join(map(str, self.jars))

    def command(self, main: str, *args: str, extra: Sequence[str] = ()) -> list[str]:
        """Give the command that runs the class `main`."""
        return [str(self.java), *JVM_FLAGS, *extra, "-cp", self.class_path, main, *args]

    def aot_cache(self, cache: Path) -> Path:
        """Name the ahead-of-time cache of exactly this Java, class path and flags."""
        key = hashlib.sha256("\n".join([str(self.java), self.class_path, *JVM_FLAGS]).encode()).hexdigest()[:16]
        return cache / f"kafka-{key}.aot"


def prepare(jvm: Jvm, root: Path, ports: tuple[int, int], seed: bytes, extra: Sequence[str] = (), more_properties: str = "") -> list[str]:
    """Make `root` ready and give the broker's command; the caller holds the lock of `root`.

    `ports` are the clients' and the controller's; `seed` (16 bytes) becomes the cluster id if the directory is new; `more_properties` are
    lines for the broker's configuration. Raises PortTakenError, KafkaFailedError.
    """
    port, controller_port = ports
    refuse_taken(port, "Kafka")
    refuse_taken(controller_port, "Kafka's controller")
    properties, log4j = root / "server.properties", root / "log4j2.properties"
    log4j.write_text(LOG4J)
    if not (root / "data" / "meta.properties").exists():
        _format(jvm, root, ports, seed, more_properties, [flag for flag in extra if flag.startswith("-XX:AOTCache=")])
    properties.write_text(server_properties(port, controller_port, root / "data", more_properties))
    logging = [f"-Dlog4j2.configurationFile={log4j}", f"-Ddunlin.log={root / 'kafka.log'}"]
    return jvm.command("kafka.Kafka", str(properties), extra=[*extra, *logging])


def _format(jvm: Jvm, root: Path, ports: tuple[int, int], seed: bytes, more: str, extra: Sequence[str]) -> None:
    """Format beside and then rename: a stop in the middle must not leave half a directory that refuses to start."""
    fresh, properties = root / "data.new", root / "format.properties"
    shutil.rmtree(fresh, ignore_errors=True)
    properties.write_text(server_properties(*ports, fresh, more))
    # An id that starts with a dash would look like an option to the tool.
    cluster = base64.urlsafe_b64encode(seed).decode().rstrip("=").replace("-", "A", 1)
    command = jvm.command("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties), extra=extra)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KafkaFailedError(f"formatting {fresh} failed ({done.returncode}): {(done.stderr or done.stdout).strip()}")
    fresh.rename(root / "data")


def train(jvm: Jvm, cache: Path, seed: bytes, still_wanted_by: int) -> None:
    """Write the ahead-of-time cache by running a throw-away broker; takes 10 to 30 s, and stops when its parent is gone.

    With the cache a start takes 1 s instead of 2 to 5. Raises KafkaFailedError.
    """
    target = jvm.aot_cache(cache)
    if target.exists():
        return
    # A fixed place, emptied first: a training that was killed must not leave a directory behind each time.
    root = cache / "training" / "broker"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        _train_in(jvm, root, seed, still_wanted_by)
        (root / "new.aot").rename(target)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _train_in(jvm: Jvm, root: Path, seed: bytes, still_wanted_by: int) -> None:
    port, controller_port = free_ports(2)
    fresh = root / "new.aot"
    command = prepare(jvm, root, (port, controller_port), seed, [f"-XX:AOTCacheOutput={fresh}"])
    with (root / "out").open("wb") as out:
        broker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        _wait(lambda: is_open(port), broker, still_wanted_by, 120)
        broker.send_signal(signal.SIGTERM)
        _wait(lambda: broker.poll() is not None, None, still_wanted_by, 180)
    finally:
        broker.kill()
        broker.wait()
    if not fresh.exists():
        output = (root / "out").read_text()[-500:]
        raise KafkaFailedError(f"no ahead-of-time cache was written; Java said: {output}")


def _wait(done: Callable[[], bool], broker: subprocess.Popen[bytes] | None, parent: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if broker is not None and broker.poll() is not None:
            raise KafkaFailedError(f"the training broker ended with {broker.returncode}")
        if not _is_alive(parent):
            raise KafkaFailedError(f"process {parent}, which wanted the cache, is gone")
        if time.monotonic() > deadline:
            raise KafkaFailedError(f"training took more than {seconds:.0f} s")
        time.sleep(0.2)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
