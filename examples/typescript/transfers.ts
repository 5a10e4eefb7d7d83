// Deploys the token, mints, makes transfers in columns on a session's stream, and asks for balances.
//
//     phalanx serve --data-dir data &
//     cd examples/typescript && npm ci && npm run build && npm run transfers -- 127.0.0.1:7400 100000

import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

import { type Call, type CallColumns, Node, type StreamAnswer, root } from "./phalanx.js";

const ISSUER = Buffer.alloc(32, 1);
const ALICE = Buffer.alloc(32, 2);
const GAS = 50_000;
const SUBMISSION_CALLS = 2_000;

type Payment = { to: Buffer; amount: bigint };

/** An amount as contracts read it: 16 bytes, little-endian. */
function u128(amount: bigint): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(amount & 0xffff_ffff_ffff_ffffn);
  bytes.writeBigUInt64LE(amount >> 64n, 8);
  return bytes;
}

function amountOf(bytes: Buffer): bigint {
  return bytes.readBigUInt64LE() | (bytes.readBigUInt64LE(8) << 64n);
}

/** Transfers of Alice's, one sender and one gas limit for all; each argument is an address and an amount. */
function columns(token: Buffer, payments: Payment[]): CallColumns {
  const gasLimit = Buffer.alloc(4);
  gasLimit.writeUInt32LE(GAS);
  return {
    targets: [{ contract: token, method: "transfer" }],
    calls: payments.length,
    senders: ALICE,
    gasLimits: gasLimit,
    arguments: Buffer.concat(payments.flatMap(({ to, amount }) => [to, u128(amount)])),
  };
}

/** How many of the canonical receipts say 0, which is OK: length u32, gas u32, outcome u8, … */
function succeededOf(canonical: Buffer): number {
  let succeeded = 0;
  for (let at = 0; at < canonical.length; at += canonical.readUInt32LE(at)) {
    if (canonical.readUInt8(at + 8) === 0) succeeded += 1;
  }
  return succeeded;
}

/** Sends the payments as submissions of one session, and answers how many succeeded. */
async function transferAll(node: Node, token: Buffer, payments: Payment[]): Promise<number> {
  const stream = node.submitStream();
  stream.write({ open: { session: randomBytes(16), receiptForm: "RECEIPT_FORM_CANONICAL" } });
  const answers: AsyncIterator<StreamAnswer> = stream[Symbol.asyncIterator]();
  const { opened } = (await answers.next()).value as StreamAnswer;
  assert(opened, "the first answer opens the session");
  const chunks: Payment[][] = [];
  for (let at = 0; at < payments.length; at += SUBMISSION_CALLS) chunks.push(payments.slice(at, at + SUBMISSION_CALLS));
  const first = BigInt(opened.nextSequence);
  let sent = 0;
  let succeeded = 0;
  for (let done = 0; done < chunks.length; done += 1) {
    // As many on their way as the node reads ahead.
    for (let chunk = chunks[sent]; chunk && sent - done < opened.credits; chunk = chunks[sent]) {
      stream.write({ submission: { sequence: String(first + BigInt(sent)), columns: columns(token, chunk) } });
      sent += 1;
    }
    const { answer } = (await answers.next()).value as StreamAnswer;
    assert.equal(answer?.sequence, String(first + BigInt(done)));
    succeeded += succeededOf(answer.receipts.canonicalReceipts);
  }
  stream.end();
  return succeeded;
}

const [endpoint = "127.0.0.1:7400", count = "10000"] = process.argv.slice(2);
const node = new Node(endpoint);

const module = readFileSync(root + "contracts/wasm/token.wasm");
const { contract: token } = await node.deploy({ sender: ISSUER, salt: randomBytes(32), module });
console.log("token", "0x" + token.toString("hex"));

const call = (method: string, sender: Buffer, ...parts: Buffer[]): Call => {
  return { contract: token, method, sender, arguments: Buffer.concat(parts), gasLimit: GAS };
};
// The id makes it safe to ask again.
const mint = { ...call("mint", ISSUER, ALICE, u128(BigInt(count))), id: randomBytes(16) };
const minted = await node.submit({ call: mint });
console.log("mint", minted.receipt.outcome, "at height", minted.position.height);
assert.deepEqual((await node.receipt(minted.position)).receipt, minted.receipt);

const payments = Array.from({ length: Number(count) }, (_, n) => ({ to: Buffer.alloc(32, 3 + (n % 200)), amount: 1n }));
console.log("transfers", await transferAll(node, token, payments));

const asked = await node.ask({ call: call("balance_of", ALICE, ALICE) });
console.log("balance", String(amountOf(asked.receipt.returnBytes)), "at height", asked.height);

// A refusal has a code that programs read.
try {
  await node.submit({ call: { contract: Buffer.from("short") } });
} catch (error) {
  console.log("refused", (error as Error).message);
}
node.close();
