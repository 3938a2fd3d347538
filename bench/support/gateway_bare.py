"""The baseline: the same uvicorn, told to read the body and answer 200. `python bench/support/gateway_bare.py READY_FILE`."""

import asyncio
import socket
import sys
from pathlib import Path

import uvicorn

BODY = b"accepted\n"
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"9")]


async def bare(_scope, receive, send):
    """Read the body and answer 200."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def main() -> None:
    """Listen on a free port and say which."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    Path(sys.argv[1]).write_text(f"127.0.0.1:{listener.getsockname()[1]}\n")
    options = {"loop": "uvloop", "http": "httptools", "lifespan": "off", "access_log": False, "log_config": None, "server_header": False}
    server = uvicorn.Server(uvicorn.Config(bare, **options))
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve([listener]))


if __name__ == "__main__":
    main()
