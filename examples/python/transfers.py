#!/usr/bin/env python3
"""Deploys the token, mints, makes transfers in columns on a session's stream, and asks for balances.

    phalanx serve --data-dir data &
    pip install -r examples/python/requirements.txt
    python3 examples/python/transfers.py --calls 100000
"""

import argparse
import os
import pathlib
import queue
import struct

import grpc
from grpc_status import rpc_status

from phalanx_proto import execution_pb2 as execution
from phalanx_proto import execution_pb2_grpc, query_pb2_grpc
from phalanx_proto import query_pb2 as query
from phalanx_proto import types_pb2 as types

ISSUER = bytes([1]) * 32
ALICE = bytes([2]) * 32
GAS = 50_000
TOKEN = pathlib.Path(__file__).resolve().parents[2] / "contracts" / "wasm" / "token.wasm"


def u128(amount):
    """An amount as contracts read it: 16 bytes, little-endian."""
    return amount.to_bytes(16, "little")


def columns(token, payments):
    """Transfers of Alice's, one sender and one gas limit for all; each argument is an address and an amount."""
    return execution.CallColumns(
        targets=[execution.Target(contract=token, method="transfer")],
        calls=len(payments),
        senders=ALICE,
        gas_limits=struct.pack("<I", GAS),
        arguments=b"".join(to + u128(amount) for to, amount in payments),
    )


def outcomes(canonical):
    """The outcome codes of canonical receipts: length u32, gas u32, outcome u8, …"""
    at, found = 0, []
    while at < len(canonical):
        length, _gas, outcome = struct.unpack_from("<IIB", canonical, at)
        found.append(outcome)
        at += length
    return found


def transfer_all(stub, token, payments, submission_calls):
    """Sends the payments as submissions of one session, and answers how many succeeded."""
    asked = queue.SimpleQueue()
    answers = stub.SubmitStream(iter(asked.get, None))
    session = execution.OpenSession(session=os.urandom(16), receipt_form=execution.RECEIPT_FORM_CANONICAL)
    asked.put(execution.SubmitStreamRequest(open=session))
    opened = next(answers).opened
    chunks = [payments[at : at + submission_calls] for at in range(0, len(payments), submission_calls)]
    sent, done, succeeded = 0, 0, 0
    while done < len(chunks):
        # As many on their way as the node reads ahead.
        while sent < len(chunks) and sent - done < opened.credits:
            sequence = opened.next_sequence + sent
            submission = execution.SessionSubmission(sequence=sequence, columns=columns(token, chunks[sent]))
            asked.put(execution.SubmitStreamRequest(submission=submission))
            sent += 1
        answer = next(answers).answer
        assert answer.sequence == opened.next_sequence + done
        succeeded += outcomes(answer.receipts.canonical_receipts).count(types.OUTCOME_OK)
        done += 1
    asked.put(None)
    return succeeded


def channel(arguments):
    if not arguments.ca:
        return grpc.insecure_channel(arguments.endpoint)

    def read(path):
        return pathlib.Path(path).read_bytes() if path else None

    credentials = grpc.ssl_channel_credentials(read(arguments.ca), read(arguments.key), read(arguments.certificate))
    return grpc.secure_channel(arguments.endpoint, credentials)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default="127.0.0.1:7400", help="host:port of the node")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--submission-calls", type=int, default=2_000)
    parser.add_argument("--ca", help="authority of the node's certificate, PEM")
    parser.add_argument("--certificate", help="client certificate, PEM")
    parser.add_argument("--key", help="its key, PEM")
    arguments = parser.parse_args()

    with channel(arguments) as connection:
        execute = execution_pb2_grpc.ExecutionServiceStub(connection)
        ask = query_pb2_grpc.QueryServiceStub(connection)

        deploy = execution.DeployRequest(sender=ISSUER, salt=os.urandom(32), module=TOKEN.read_bytes())
        token = execute.Deploy(deploy).contract
        print("token", "0x" + token.hex())

        mint = types.Call(
            contract=token,
            method="mint",
            sender=ISSUER,
            arguments=ALICE + u128(arguments.calls),
            gas_limit=GAS,
            id=os.urandom(16),  # makes it safe to ask again
        )
        answer = execute.Submit(execution.SubmitRequest(call=mint))
        print("mint", types.Outcome.Name(answer.receipt.outcome), "at height", answer.position.height)

        payments = [(bytes([3 + number % 200]) * 32, 1) for number in range(arguments.calls)]
        succeeded = transfer_all(execute, token, payments, arguments.submission_calls)
        print("transfers", succeeded)

        balance_of = types.Call(contract=token, method="balance_of", sender=ALICE, arguments=ALICE, gas_limit=GAS)
        answer = ask.Query(query.QueryRequest(call=balance_of))
        print("balance", int.from_bytes(answer.receipt.return_bytes, "little"), "at height", answer.height)

        # A refusal has details that programs read.
        try:
            execute.Submit(execution.SubmitRequest(call=types.Call(contract=b"short")))
        except grpc.RpcError as error:
            details = [detail.type_url.rsplit(".", 1)[-1] for detail in rpc_status.from_call(error).details]
            print("refused", error.code().name, error.details(), details)


if __name__ == "__main__":
    main()
