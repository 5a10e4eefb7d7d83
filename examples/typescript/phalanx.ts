// Clients of phalanx.v1, made from the .proto files of this repository when this module is loaded, and the types of what the
// example sends and takes in. 64-bit integers are strings, bytes are Buffers.

import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";

export const root = process.env["PHALANX_ROOT"] ?? fileURLToPath(new URL("../../../", import.meta.url));

export interface Call {
  contract: Uint8Array;
  method: string;
  sender: Uint8Array;
  arguments: Uint8Array;
  gasLimit: number;
  id?: Uint8Array;
}

export interface CallColumns {
  targets: { contract: Uint8Array; method: string }[];
  calls: number;
  senders: Uint8Array;
  gasLimits: Uint8Array;
  arguments: Uint8Array;
}

export interface Receipt {
  outcome: string;
  gasUsed: string;
  returnBytes: Buffer;
}

export interface Position {
  height: string;
  index: number;
}

/** A message of a session's stream. */
export interface StreamAnswer {
  opened?: { nextSequence: string; credits: number };
  answer?: { sequence: string; receipts: { calls: number; canonicalReceipts: Buffer } };
}

export type StreamQuestion =
  | { open: { session: Uint8Array; receiptForm: string } }
  | { submission: { sequence: string; columns: CallColumns } };

const definition = loadSync(["phalanx/v1/execution.proto", "phalanx/v1/query.proto"], {
  includeDirs: [root + "proto"],
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const loaded = grpc.loadPackageDefinition(definition) as unknown as {
  phalanx: { v1: Record<"ExecutionService" | "QueryService", grpc.ServiceClientConstructor> };
};

type Unary = (request: object, callback: (error: grpc.ServiceError | null, answer: unknown) => void) => void;

/** A connection to a node. */
export class Node {
  private readonly execution: grpc.Client;
  private readonly query: grpc.Client;

  constructor(endpoint: string) {
    const { ExecutionService, QueryService } = loaded.phalanx.v1;
    this.execution = new ExecutionService(endpoint, grpc.credentials.createInsecure());
    this.query = new QueryService(endpoint, grpc.credentials.createInsecure());
  }

  deploy(request: { sender: Uint8Array; salt: Uint8Array; module: Uint8Array }): Promise<{ contract: Buffer }> {
    return unary(this.execution, "deploy", request);
  }

  submit(request: { call: Partial<Call> }): Promise<{ position: Position; receipt: Receipt }> {
    return unary(this.execution, "submit", request);
  }

  submitStream(): grpc.ClientDuplexStream<StreamQuestion, StreamAnswer> {
    const method = (this.execution as unknown as Record<string, () => unknown>)["submitStream"];
    if (!method) throw new Error("the service has no submitStream");
    return method.call(this.execution) as grpc.ClientDuplexStream<StreamQuestion, StreamAnswer>;
  }

  ask(request: { call: Call }): Promise<{ height: string; receipt: Receipt }> {
    return unary(this.query, "query", request);
  }

  receipt(position: Position): Promise<{ receipt: Receipt }> {
    return unary(this.query, "getReceipt", { position });
  }

  close(): void {
    this.execution.close();
    this.query.close();
  }
}

function unary<T>(client: grpc.Client, name: string, request: object): Promise<T> {
  const method = (client as unknown as Record<string, Unary>)[name];
  if (!method) throw new Error(`the service has no ${name}`);
  return new Promise((resolve, reject) => {
    method.call(client, request, (error, answer) => (error ? reject(error) : resolve(answer as T)));
  });
}
