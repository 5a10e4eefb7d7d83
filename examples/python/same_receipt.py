#!/usr/bin/env python3
"""Makes a call, and checks that its receipt is the same by grpcio, by curl, and by the Rust client of the command.

    python3 examples/python/same_receipt.py --endpoint 127.0.0.1:7400 --phalanx target/debug/phalanx
"""

import argparse
import base64
import json
import os
import subprocess

import grpc

from phalanx_proto import execution_pb2 as execution
from phalanx_proto import execution_pb2_grpc, query_pb2_grpc
from phalanx_proto import query_pb2 as query
from phalanx_proto import types_pb2 as types
from transfers import ALICE, GAS, ISSUER, TOKEN, u128


def printed(*command):
    """What a command prints, as JSON. A receipt of a failed call makes the command exit with 1."""
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    assert ended.returncode in (0, 1), ended
    return json.loads(ended.stdout)


def by_grpcio(channel, position):
    asked = query.GetReceiptRequest(position=position)
    receipt = query_pb2_grpc.QueryServiceStub(channel).GetReceipt(asked).receipt
    events = [(event.topic.decode(), event.data) for event in receipt.events]
    name = types.Outcome.Name(receipt.outcome).removeprefix("OUTCOME_").lower()
    return name, receipt.gas_used, receipt.return_bytes, events


def by_curl(endpoint, position):
    url = f"http://{endpoint}/phalanx.v1.QueryService/GetReceipt"
    asked = json.dumps({"position": {"height": str(position.height), "index": position.index}})
    receipt = printed("curl", "-sS", "-H", "content-type: application/json", "-d", asked, url)["receipt"]

    def decoded(message, field):
        return base64.b64decode(message.get(field, ""))

    events = [(decoded(event, "topic").decode(), decoded(event, "data")) for event in receipt.get("events", [])]
    name = receipt["outcome"].removeprefix("OUTCOME_").lower()
    return name, int(receipt["gasUsed"]), decoded(receipt, "returnBytes"), events


def by_command(phalanx, endpoint, position):
    place = [str(position.height), str(position.index)]
    receipt = printed(phalanx, "receipt", *place, "--endpoint", f"http://{endpoint}", "-o", "json")

    def decoded(text):
        return bytes.fromhex(text.removeprefix("0x"))

    events = [(event["topic"], decoded(event["data"])) for event in receipt["events"]]
    return receipt["outcome"], int(receipt["gas_used"]), decoded(receipt["return"]), events


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default="127.0.0.1:7400", help="host:port of the node")
    parser.add_argument("--phalanx", default="phalanx", help="the command")
    arguments = parser.parse_args()

    with grpc.insecure_channel(arguments.endpoint) as channel:
        stub = execution_pb2_grpc.ExecutionServiceStub(channel)
        deploy = execution.DeployRequest(sender=ISSUER, salt=os.urandom(32), module=TOKEN.read_bytes())
        token = stub.Deploy(deploy).contract
        for method, sender in [("mint", ISSUER), ("transfer", ALICE), ("transfer", ISSUER)]:
            call = types.Call(contract=token, method=method, sender=sender, arguments=ALICE + u128(5), gas_limit=GAS)
            position = stub.Submit(execution.SubmitRequest(call=call)).position
            receipts = {
                "grpcio": by_grpcio(channel, position),
                "curl": by_curl(arguments.endpoint, position),
                "command": by_command(arguments.phalanx, arguments.endpoint, position),
            }
            assert len(set(map(str, receipts.values()))) == 1, receipts
            print(method, *receipts["curl"][:2], "the same by", ", ".join(receipts))


if __name__ == "__main__":
    main()
