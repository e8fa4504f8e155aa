// The thread that libhdf5 runs in, because a hostile file can make it loop for ever or bring it down. It answers the
// requests of reader.ts one by one and asks back for the bytes of the file.

import { receiveMessageOnPort, workerData } from "node:worker_threads";
import { HexzError } from "../../core/errors.ts";
import { openHdf5 } from "./library.ts";
import type { Answer, Request, ThreadStart } from "./reader.ts";
import { objectsOf } from "./structure.ts";
import { describeDataset, sizeOfValues, ValueReader } from "./values.ts";

const { name, size, port, turns } = workerData as ThreadStart;

/** Waits for what the other side says. */
function receive(): unknown {
  for (;;) {
    const turn = Atomics.load(turns, 1);
    const message = receiveMessageOnPort(port);
    if (message !== undefined) return message.message;
    Atomics.wait(turns, 1, turn);
  }
}

function say(answer: Answer): void {
  port.postMessage(answer);
  Atomics.add(turns, 0, 1);
  Atomics.notify(turns, 0);
}

function answerError(error: unknown): void {
  if (!(error instanceof HexzError)) throw error;
  const { code, message, hint, data } = error;
  say({ kind: "error", code, message, hint, data });
}

const source = {
  name,
  size,
  readSync(start: number, end: number): Uint8Array {
    say({ kind: "read", start, end });
    const bytes = receive();
    if (bytes instanceof Uint8Array) return bytes;
    throw new HexzError("io", `${name} could not be read`);
  },
};

try {
  const file = await openHdf5(source);
  const readers = new Map<string, ValueReader>();
  const carryOut = (request: Request): unknown => {
    switch (request.kind) {
      case "objects":
        return [...objectsOf(file)];
      case "size":
        return sizeOfValues(file, describeDataset(file, request.path));
      case "values": {
        const reader = readers.get(request.path) ?? new ValueReader(file, describeDataset(file, request.path));
        readers.set(request.path, reader);
        return reader.read(request.start, request.end);
      }
    }
  };
  say({ kind: "result", result: undefined });
  for (;;) {
    const request = receive() as Request;
    try {
      say({ kind: "result", result: carryOut(request) });
    } catch (error) {
      answerError(error);
    }
  }
} catch (error) {
  answerError(error);
}
