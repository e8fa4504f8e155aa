// Reading without verification: blocks are decoded as far as they are needed, and the bytes are the same.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openArchiveFile, pack } from "../src/node/index.ts";
import { randomFrom, SEED, text } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

test.each(["lz4", "zstd"] as const)("any range of a %s archive is read without verification", async (compression) => {
  const folder = temporaryDirectory();
  const random = randomFrom(SEED);
  const content = Buffer.from(text(3_000_000, random));
  writeFileSync(join(folder, "content"), content);
  await pack({ inputs: [join(folder, "content")], output: join(folder, "a.hxz"), compression });
  const archive = await openArchiveFile(join(folder, "a.hxz"), { verify: false, cacheBytes: 512 * 1024 });
  onTestFinished(() => archive.close());
  const file = await archive.file("content");
  for (let count = 0; count < 400; count++) {
    const start = random(content.length);
    const end = Math.min(content.length, start + random(count % 4 === 0 ? 200_000 : 5000));
    const read = count % 2 === 0 ? file.readSync(start, end) : await file.read(start, end);
    expect(Buffer.compare(read, content.subarray(start, end)), `seed ${SEED}: ${start} to ${end}`).toBe(0);
  }
});
