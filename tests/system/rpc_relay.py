"""A relay between a client and a server that notes which RPC methods pass."""

from __future__ import annotations

import contextlib
import socket
import threading

import msgpack


class RpcRelay:
    """Listens on a free port of this machine and passes everything on. ``methods`` are the names that came by.

    Args:
        host, port: of the server.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self.methods: set[str] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for side in (client, server):
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for ends in ((client, server, msgpack.Unpacker(raw=False)), (server, client, None)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, reader: msgpack.Unpacker | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if reader is not None:
                    reader.feed(data)
                    self.methods.update(message[2] for message in reader if message[0] == 0)
                target.sendall(data)
        for side in (source, target):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
