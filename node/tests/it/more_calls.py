"""Writes a second file of calls: other names, senders and order than the first, and calls to a contract of the first.

Usage: more_calls.py OUT TOKEN_ID
"""

import json
import random
import sys

OUT, TOKEN_ID = sys.argv[1:]
CALLS = 20_000
random.seed(20_000)

owner = "0x" + "b0" * 32
accounts = [f"0x{number:08x}" + "33" * 28 for number in range(200)]


def call(contract, method, sender, **args):
    return {"call": {"args": args, "sender": sender, "method": method, "contract": contract}}


def deploy(name, wasm):
    return {"deploy": {"sender": owner, "name": name, "wasm": wasm}}


lines = [call("gold", "total_supply", owner)]  # before its deploy: its contract is not there yet
lines.append(deploy("gold", "token.wasm"))
lines.append(deploy("attacks", "hostile.wasm"))
lines.append(deploy("gold", "token.wasm"))  # again: it exists
lines += [call("gold", "mint", owner, amount=10**30, to=account) for account in accounts]
lines += [call("gold", "approve", account, spender=owner, amount=str(2**128 - 1)) for account in accounts]

kinds = [
    lambda a, b: call("gold", "transfer", a, to=b, amount=random.randrange(10**12)),
    lambda a, b: call("gold", "transfer_from", owner, **{"from": a, "to": b, "amount": str(random.randrange(10**12))}),
    lambda a, b: call("gold", "transfer_from", a, **{"from": b, "to": a, "amount": "1"}),  # no allowance
    lambda a, b: call("gold", "mint", a, to=b, amount="1"),  # not the deployer
    lambda a, b: call(TOKEN_ID, "transfer", a, to=b, amount="7"),  # nothing in the first file's token
    lambda a, b: call(TOKEN_ID, "balance_of", a, owner=b),
    lambda a, b: call("attacks", "panics", a, index=random.randrange(8)),
    lambda a, b: call("attacks", "revert_after_writes", b, count=3),
    lambda a, b: call("attacks", "many_events", b, count=random.choice([1, 64, 65])),
    lambda a, b: call("0x" + "00" * 32, "deploy", a, module="0x00"),  # the system contract reads no JSON
]
weights = [40, 20, 3, 3, 5, 5, 1, 1, 1, 1]
for kind in random.choices(kinds, weights, k=CALLS):
    a, b = random.sample(accounts, 2)
    line = kind(a, b)
    if random.random() < 0.02:
        line["call"]["gas"] = random.choice([0, "399", 900, "1000000001"])
    lines.append(line)

with open(OUT, "w", encoding="utf-8") as out:
    for line in lines:
        print(json.dumps(line), file=out)
