"""ClickHouse's own server inside the `chdb-core` extension: one call that serves until it is stopped.

`_chdb.query` runs `clickhouse-local`, which can start the real HTTP and native servers; its last statement reads a FIFO and so keeps it
alive. `import chdb` would open another kind of engine and make that call return at once, silently.
"""

import importlib.util
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from dunlin.clickhouse_server.users import write_privately
from dunlin.stack.ports import HOST, is_open

# A ceiling for all queries together of 2 GB; batches the sink repeats after a crash are recognised within the last
# 1,000 blocks of every table; the log of queries is kept a week, the noisier system logs are not kept at all.
# The file log is the one of errors: the other one would be written at trace level, whatever level is asked for here.
_CONFIG = """<clickhouse>
  <http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><listen_host>{host}</listen_host>
  <users_config>{run}/users.xml</users_config>
  <max_server_memory_usage>2000000000</max_server_memory_usage><mark_cache_size>134217728</mark_cache_size>
  <logger><errorlog>{root}/clickhouse.log</errorlog><errorlog_level>warning</errorlog_level><size>10M</size><count>2</count></logger>
  <merge_tree><non_replicated_deduplication_window>1000</non_replicated_deduplication_window></merge_tree>
  <query_log><database>system</database><table>query_log</table><ttl>event_date + INTERVAL 7 DAY DELETE</ttl>
    <flush_interval_milliseconds>7500</flush_interval_milliseconds></query_log>
  <access_control_improvements>
    <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
    <users_without_row_policies_can_read_rows>true</users_without_row_policies_can_read_rows>
  </access_control_improvements>
  <backups><allowed_path>{root}/backups</allowed_path></backups>
</clickhouse>
"""


class EngineError(Exception):
    """The engine could not be loaded, or ended without a requested stop."""


def load() -> ModuleType:
    """Load the extension without running its package; raises EngineError when the wheel is absent or has no engine."""
    spec = importlib.util.find_spec("chdb")
    places = spec.submodule_search_locations if spec else None
    files = [path for place in places or () for path in Path(place).glob("_chdb*.so")]
    if not files:
        raise EngineError("the package chdb-core is not installed; try: pip install 'dunlin[embedded]'")
    extension = importlib.util.spec_from_file_location("_chdb", files[0])
    if extension is None or extension.loader is None:
        raise EngineError(f"{files[0]} cannot be loaded by this Python")
    module = importlib.util.module_from_spec(extension)
    extension.loader.exec_module(module)
    return module


class Engine:
    """The server of one directory; the caller holds its lock. It can be run once in the life of a process."""

    def __init__(self, root: Path, http: int, tcp: int) -> None:
        self._root, self._run, self._http, self._tcp = root, root / "run", http, tcp
        self._ended, self._stop = threading.Event(), threading.Event()

    def configure(self, users_xml: str) -> None:
        """Write the engine's configuration; it is read from the working directory, which becomes ours."""
        self._run.mkdir(mode=0o700, exist_ok=True)
        os.chdir(self._run)
        write_privately(self._run / "users.xml", users_xml)
        config = _CONFIG.format(http=self._http, tcp=self._tcp, host=HOST, run=self._run, root=self._root)
        (self._run / "config.xml").write_text(config)

    def serve(self, on_ready: Callable[[], None]) -> bool:
        """Serve until SIGTERM or SIGINT, calling `on_ready` when queries are answered.

        Returns whether the engine also ended properly: leaving Python while it runs would abort the process. Raises EngineError when it
        ended by itself.
        """
        fifo = self._run / "stop"
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
        chdb = load()
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: self._stop.set())
        threading.Thread(target=self._body, args=(chdb, fifo), daemon=True).start()
        keeps_it_waiting = os.open(fifo, os.O_RDWR)
        self._watch(on_ready)
        os.close(keeps_it_waiting)
        return self._ended.wait(20)

    def _body(self, chdb: ModuleType, fifo: Path) -> None:
        """Run the engine's own session. It outlives both servers: as long as clients can connect, it fills the one slot of `default`."""
        listen = "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP"
        wait = f"SELECT count() FROM file('{fifo}', 'LineAsString') FORMAT Null"  # noqa: S608 - our own path
        close = "SYSTEM STOP LISTEN HTTP; SYSTEM STOP LISTEN TCP"
        try:
            chdb.query(f"{listen}; {wait}; {close}", "TabSeparated", path=str(self._root / "data"))
        finally:
            self._ended.set()

    def _watch(self, on_ready: Callable[[], None]) -> None:
        reported = False
        while not self._stop.is_set():
            if self._ended.is_set():
                raise EngineError(
                    f"the engine ended by itself; a reason is above or in {self._root / 'clickhouse.log'}. "
                    "Often a port is taken or the data belongs to a newer version."
                )
            if not reported and is_open(self._http):
                reported = True
                on_ready()
            self._stop.wait(0.2 if reported else 0.02)
