"""Answers an adb client in place of a phone: not at all, or with a request for a key that it never gets."""

import socket
import struct
import sys

SILENT_PORT, ASKING_PORT = 5601, 5602
_HEAD = "<4sIIIII"  # command, two arguments, length, sum of the bytes, command inverted: adb's protocol.txt
_PUBLIC_KEY = 3


def main(port: int) -> None:
    """Serves one client on `port` until it goes away; prints a line once a client may come."""
    with socket.create_server(("127.0.0.1", port)) as server:
        print("listening", flush=True)
        serve(server.accept()[0], port)


def serve(client: socket.socket, port: int) -> None:
    """Answers a client as the phone of that port would."""
    with client:
        while head := client.recv(struct.calcsize(_HEAD), socket.MSG_WAITALL):
            command, kind, _, length, _, _ = struct.unpack(_HEAD, head)
            client.recv(length, socket.MSG_WAITALL)
            is_last = command == b"AUTH" and kind == _PUBLIC_KEY  # now the user of a phone would be asked
            if port == ASKING_PORT and not is_last:
                token = bytes(20)
                check = struct.unpack("<I", b"AUTH")[0] ^ 0xFFFFFFFF
                client.sendall(struct.pack(_HEAD, b"AUTH", 1, 0, len(token), sum(token), check) + token)


if __name__ == "__main__":
    main(int(sys.argv[1]))
