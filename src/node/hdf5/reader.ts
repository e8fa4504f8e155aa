// An HDF5 file: what is in it, and the raw values of its datasets. libhdf5 runs in a thread of its own (thread.ts) that is
// ended when it falls silent; calls wait for it.

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { type ErrorCode, HexzError } from "../../core/errors.ts";
import type { Hdf5Source } from "./library.ts";
import type { Hdf5Object } from "./structure.ts";

/** Milliseconds without an answer or a question of libhdf5; decoding the largest chunk takes a fraction of that. */
const PATIENCE = 60_000;

/** What the thread is told when it starts. */
export interface ThreadStart {
  readonly name: string;
  readonly size: number;
  readonly port: MessagePort;
  /** Counters of what was said, to wait on: by the thread, to the thread. */
  readonly turns: Int32Array;
}

export type Request =
  | { readonly kind: "objects" }
  /** Bytes of all values of a dataset. */
  | { readonly kind: "size"; readonly path: string }
  | { readonly kind: "values"; readonly path: string; readonly start: number; readonly end: number };

export type Answer =
  | { readonly kind: "read"; readonly start: number; readonly end: number }
  | { readonly kind: "result"; readonly result: unknown }
  | {
      readonly kind: "error";
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string | undefined;
      readonly data: Readonly<Record<string, unknown>>;
    };

export class Hdf5Reader {
  readonly #source: Hdf5Source;
  readonly #patience: number;
  readonly #port: MessagePort;
  readonly #turns = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;
  #ended = false;

  /**
   * @param patience milliseconds without a word after which the file is given up
   * @throws HexzError `invalid` when it is no HDF5 file, `unsupported` without the package h5wasm
   */
  constructor(source: Hdf5Source, patience = PATIENCE) {
    this.#source = source;
    this.#patience = patience;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const { name, size } = source;
    const workerData: ThreadStart = { name, size, port: port2, turns: this.#turns };
    this.#worker = new Worker(threadUrl(), { workerData, transferList: [port2], execArgv: [] });
    this.#worker.on("error", () => {});
    this.#worker.unref();
    this.#port.unref();
    this.#answer("open it");
  }

  /** Groups, datasets and links, a group before what is in it. @throws HexzError */
  objects(): Hdf5Object[] {
    return this.#ask({ kind: "objects" }, "read its structure") as Hdf5Object[];
  }

  /** Length in bytes of a dataset's values. @throws HexzError */
  sizeOfValues(path: string): number {
    return this.#ask({ kind: "size", path }, `read "${path}"`) as number;
  }

  /** Bytes [start, end) of a dataset's values in C order. @throws HexzError */
  values(path: string, start: number, end: number): Uint8Array {
    return this.#ask({ kind: "values", path, start, end }, `read "${path}"`) as Uint8Array;
  }

  #ask(request: Request, what: string): unknown {
    if (this.#ended) throw new HexzError("io", `cannot ${what} of ${this.#source.name}: it is closed`);
    this.#say(request);
    return this.#answer(what);
  }

  #say(message: unknown): void {
    this.#port.postMessage(message);
    Atomics.add(this.#turns, 1, 1);
    Atomics.notify(this.#turns, 1);
  }

  /** Hands over the bytes that libhdf5 asks for until it has the answer. */
  #answer(what: string): unknown {
    let failure: unknown;
    for (;;) {
      const answer = this.#receive(what);
      if (answer.kind === "result") return answer.result;
      if (answer.kind === "read") {
        try {
          // A copy of its own: of a view, the message would carry all that is behind it.
          this.#say(Uint8Array.from(this.#source.readSync(answer.start, answer.end)));
        } catch (error) {
          failure ??= error;
          this.#say(undefined);
        }
        continue;
      }
      const { code, message, hint, data } = answer;
      throw failure ?? new HexzError(code, message, { ...(hint !== undefined && { hint }), data });
    }
  }

  #receive(what: string): Answer {
    for (;;) {
      const turn = Atomics.load(this.#turns, 0);
      const received = receiveMessageOnPort(this.#port);
      if (received !== undefined) return received.message;
      if (Atomics.wait(this.#turns, 0, turn, this.#patience) === "timed-out") {
        this.close();
        const message = `cannot ${what} of ${this.#source.name}: libhdf5 was silent for ${this.#patience / 1000} s`;
        throw new HexzError("damaged", message);
      }
    }
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#port.close();
    void this.#worker.terminate();
  }
}

function threadUrl(): URL {
  const built = import.meta.url.endsWith(".ts") ? "../../../dist/hdf5-thread.js" : "./hdf5-thread.js";
  return new URL(built, import.meta.url);
}
