// Checking: every byte of an archive, or a stated sample of its content, against its digests; and what is lost. The
// steps: pages and index (check-index.ts), where everything stands (check-layout.ts), the bytes of all chunks through
// bulk reading, and the entries, which also tell whose bytes are lost (check-tree.ts).

import { ByteWriter, equalBytes } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { type Container, containersOf } from "../format/containers.ts";
import { decodeHead, HEAD_LENGTH } from "../format/head.ts";
import { encodeStreams } from "../format/root.ts";
import type { Archive } from "./archive.ts";
import { type ContentOptions, checkContent } from "./check-content.ts";
import { checkEnvelope } from "./check-envelope.ts";
import { checkIndex } from "./check-index.ts";
import { BodyCheck, checkDictionaries, checkEnd, checkStateEnd } from "./check-layout.ts";
import { checkTree, walkTree } from "./check-tree.ts";
import { piecesOfContainer } from "./container.ts";
import { Findings, noting, type Problem } from "./findings.ts";
import { checkFormat1 } from "./v1/check.ts";

export type { Problem } from "./findings.ts";

export type CheckOptions = ContentOptions;

export interface CheckResult {
  readonly ok: boolean;
  /** Bytes of content whose digests were checked. */
  readonly checkedBytes: number;
  readonly problems: readonly Problem[];
  /** Of format 1: what is as it was written and worth knowing. Where programs read something else, what is not proven. */
  readonly warnings?: readonly Problem[];
}

/**
 * Checks an archive that could be opened. Damage is reported, not thrown.
 *
 * Every byte of the file is either covered by a digest or checksum, or is a coded block that gives the bytes that its
 * digests name. A coded block that is changed and still gives the same bytes is as good as before.
 * @throws HexzError `io`
 */
export async function checkArchive(archive: Archive, options: CheckOptions = {}): Promise<CheckResult> {
  if (archive.format1 !== undefined) return checkFormat1(archive, archive.format1, options);
  const findings = new Findings();
  await noting(findings, "head", () => checkHead(archive));
  const tree = await walkTree(archive, findings);
  const body = new BodyCheck(
    archive,
    findings,
    tree.leaves.map(({ ref }) => ref),
  );
  if (!tree.complete) body.loseTrack();
  const index = await checkIndex(archive, findings, body);
  await checkStateEnd(archive, findings, { index, tree, body });
  await checkDictionaries(archive, findings);
  await checkEnd(archive, findings);
  checkEnvelope(archive, findings);
  const metadata = await noting(findings, "metadata", () => archive.metadata());
  const containers = await noting(findings, "metadata", async () => containersOf(metadata ?? {}, archive.source.name));
  const checkedBytes = await checkContent(archive, findings, options);
  const entries = await checkTree(archive, findings, tree, containers ?? []);
  for (const container of containers ?? []) await checkContainer(archive, findings, container);

  const { root, context } = archive;
  if (index.chunksDigest !== undefined && entries !== undefined) {
    const { digestOf } = context;
    const parts = new ByteWriter(96)
      .raw(index.chunksDigest)
      .raw(entries)
      .raw(digestOf(encodeStreams(root.streams)));
    if (!equalBytes(digestOf(parts.view()), root.contentId)) {
      findings.invalid("content", "the content id is not that of the content");
    }
  }
  const problems = findings.problems();
  return { ok: problems.length === 0, checkedBytes, problems };
}

/** Whether the list of its pieces gives what it says; which bytes are lost is told elsewhere. */
async function checkContainer(archive: Archive, findings: Findings, container: Container): Promise<void> {
  if (findings.lost.length > 0) return;
  await noting(findings, "content", async () => {
    for await (const _ of piecesOfContainer(archive, container));
  });
}

async function checkHead({ source, context }: Archive): Promise<void> {
  const bytes = await source.read(0, HEAD_LENGTH);
  // The end mark says that this is an archive, so whatever else the head is, it is damaged first.
  const sum = context.digestOf(bytes.subarray(0, HEAD_LENGTH - 4)).subarray(0, 4);
  if (!equalBytes(bytes.subarray(HEAD_LENGTH - 4), sum)) {
    throw new HexzError("damaged", `the head of ${source.name} is damaged: its checksum does not fit`, {
      data: { start: 0, end: HEAD_LENGTH },
    });
  }
  const kind = decodeHead(bytes, source.name, context.digestOf);
  if (kind !== "plain") throw new HexzError("invalid", `the head of ${source.name} says that it is ${kind}`);
}
