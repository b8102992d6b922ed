"""Passes ssh on to a port of this machine, and cuts the connection in the middle of a byte stream.

    cut.py PORT BYTES COUNTED     (as ssh's ProxyCommand)

After so many bytes in both directions it ends; with 0 bytes, it cuts nothing. COUNTED is made by the first connection and
holds how many bytes passed; later connections are whole.
"""
import os
import select
import socket
import sys


def main():
    port, limit, counted = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    again = os.path.exists(counted)
    file = os.open(counted, os.O_WRONLY | os.O_CREAT)
    server = socket.create_connection(("127.0.0.1", port))
    to = {0: server.fileno(), server.fileno(): 1}
    count = 0
    while True:
        for source in select.select(list(to), [], [])[0]:
            data = os.read(source, 4096)
            if not data:
                return
            if limit and not again:
                data = data[:limit - count]
            count += len(data)
            while data:
                data = data[os.write(to[source], data):]
            if not again:
                # The number never gets shorter, and is whole whenever ssh ends this process.
                os.pwrite(file, str(count).encode(), 0)
            if count == limit and not again:
                return


main()
