#!/usr/bin/env python3
"""Attacks a node, for the row `hostile` of service.sh, until it is told to stop (SIGTERM). Standard library alone.

    hostile.py HOST:PORT ATTACKS_PER_SECOND

Every kind of attack has its turn; each is a connection of its own. Prints how many of each were begun, as JSON.
"""

import collections
import json
import signal
import socket
import sys
import time

DATA, HEADERS, RST_STREAM, SETTINGS, CONTINUATION = 0, 1, 3, 4, 9
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EXECUTION, QUERY = "/phalanx.v1.ExecutionService/", "/phalanx.v1.QueryService/"
# Connections that are kept open: the oldest is closed for a new one.
OPEN_MAX = 500


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def length(prefix_bits, value):
    """An integer of HPACK."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([value])
    encoded, value = [most], value - most
    while value >= 128:
        encoded.append(value % 128 + 128)
        value //= 128
    return bytes(encoded + [value])


def headers(path, **more):
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "node", "te": "trailers"}
    fields["content-type"] = "application/grpc"
    fields.update({name.replace("_", "-"): value for name, value in more.items()})
    return b"".join(
        b"\0" + length(7, len(name)) + name.encode() + length(7, len(value)) + value.encode() for name, value in fields.items()
    )


def varint(value):
    encoded = b""
    while value >= 128:
        encoded, value = encoded + bytes([value % 128 + 128]), value // 128
    return encoded + bytes([value])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def message(payload, claimed=None):
    return b"\0" + (len(payload) if claimed is None else claimed).to_bytes(4, "big") + payload


def request(path, body, stream=1, flags=END_STREAM, **more):
    begin = frame(HEADERS, END_HEADERS, stream, headers(path, **more))
    pieces = [body[at : at + 16_384] for at in range(0, len(body), 16_384)] or [b""]
    return begin + b"".join(
        frame(DATA, flags if at == len(pieces) - 1 else 0, stream, piece) for at, piece in enumerate(pieces)
    )


def lying_columns():
    """A thousand calls whose arguments end far behind the bytes that there are."""
    target = field(1, b"\x07" * 32) + field(2, b"transfer")
    calls = varint(2 << 3) + varint(1_000)
    ends = b"\xf0\xff\xff\xff" * 1_000
    columns = field(1, target) + calls + field(4, b"\x07" * 32) + field(5, b"\xff\xff\0\0") + field(6, ends) + field(7, b"\x01" * 64)
    return field(2, columns)


def attacks():
    metadata = headers(QUERY + "GetServerInfo", padding="x" * 100_000)
    blocks = [metadata[at : at + 16_000] for at in range(0, len(metadata), 16_000)]
    reset = b"".join(
        frame(HEADERS, END_HEADERS, stream, headers(EXECUTION + "Submit")) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
        for stream in range(1, 200, 2)
    )
    # More is promised than comes: what the window lets through, and then nothing. 64 MiB are above the limit of a message, 4 are not.
    promised = {mib: request(EXECUTION + "SubmitBatch", message(b"\0" * 65_000, claimed=mib << 20), flags=0) for mib in (64, 4)}
    history = field(2, b"") + b"\x18\1\x20\1\x28\1"
    return {
        "garbage": b"\xff" * 4_096,
        "broken frames": PREFACE + frame(SETTINGS, 0, 0) + b"\xff" * 100,
        "broken protobuf": PREFACE + frame(SETTINGS, 0, 0) + request(EXECUTION + "SubmitBatch", message(b"\xff" * 1_000)),
        "lying columns": PREFACE + frame(SETTINGS, 0, 0) + request(EXECUTION + "SubmitBatch", message(lying_columns())),
        "rapid reset": PREFACE + frame(SETTINGS, 0, 0) + reset,
        "oversized": PREFACE + frame(SETTINGS, 0, 0) + promised[64],
        "slow writer": PREFACE + frame(SETTINGS, 0, 0) + promised[4],
        "slow reader": PREFACE + frame(SETTINGS, 0, 0) + request(QUERY + "Subscribe", message(history)),
        "metadata": PREFACE
        + frame(SETTINGS, 0, 0)
        + frame(HEADERS, END_STREAM, 1, blocks[0])
        + b"".join(frame(CONTINUATION, 0, 1, block) for block in blocks[1:-1])
        + frame(CONTINUATION, END_HEADERS, 1, blocks[-1]),
        "nothing": b"",
    }


def main():
    try:
        (host, port), rate = sys.argv[1].rsplit(":", 1), float(sys.argv[2])
        if rate <= 0:
            raise ValueError
    except (IndexError, ValueError):
        sys.exit("hostile.py: say HOST:PORT ATTACKS_PER_SECOND, above 0")
    kinds, begun, connections = list(attacks().items()), collections.Counter(), collections.deque()
    running = True

    def stop(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    started, number = time.monotonic(), 0
    while running:
        name, sent = kinds[number % len(kinds)]
        number += 1
        try:
            connection = socket.create_connection((host, int(port)), timeout=0.05)
            connections.append(connection)
            connection.setblocking(False)
            connection.send(sent)
            begun[name] += 1
        except OSError:
            begun["turned away"] += 1
        while len(connections) > OPEN_MAX:
            connections.popleft().close()
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
    print(json.dumps(begun))


main()
