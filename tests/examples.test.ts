// The examples of the documentation, run as they stand there, against what is built.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./support/trees.ts";

const BUILT = { hexz: "dist/index.js", "hexz/node": "dist/node.js" };

/** The code blocks of a text, comment stars and indentation removed. */
function codeBlocks(text: string): string[] {
  const plain = text.replaceAll(/^ ?\* ?/gm, "");
  return [...plain.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]!);
}

/** Runs a program that imports the packages by name; returns what it prints. */
function runProgram(code: string, cwd: string): string {
  const program = code.replaceAll(/from "(hexz(?:\/node)?)"/g, (_, name: keyof typeof BUILT) => {
    return `from ${JSON.stringify(pathToFileURL(BUILT[name]).href)}`;
  });
  writeFileSync(join(cwd, "example.mjs"), program);
  return execFileSync(process.execPath, ["example.mjs"], { cwd, encoding: "utf8" });
}

test("the examples of openArchive and createArchive run", () => {
  const [open, create] = codeBlocks(readFileSync("src/core/index.ts", "utf8"));
  const program = `
    import { byteStringFromText, contentOf, createArchive, createMemorySink, hexOf, openArchive } from "hexz";
    const written = createMemorySink();
    const writing = await createArchive(written);
    const readme = { path: byteStringFromText("docs/readme.txt"), type: "file" };
    await writing.addFile(readme, contentOf(new TextEncoder().encode("read me first, ".repeat(20))));
    await writing.finish();
    {
      const bytes = written.bytes();
      ${open}
      console.log(new TextDecoder().decode(first));
    }
    {
      const bytes = new Uint8Array(1000);
      ${create}
      console.log(hexOf(id) === (await openArchive(sink.bytes())).idText, (await openArchive(sink.bytes())).root.counts.files);
    }`;
  expect(runProgram(program, temporaryDirectory())).toBe(`${"read me first, ".repeat(20).slice(0, 100)}\ntrue 1\n`);
});

test("the program of the README runs", () => {
  const cwd = temporaryDirectory();
  const image = Buffer.alloc(100_000, "image ");
  writeFileSync(join(cwd, "vm.img"), image);
  execFileSync(process.execPath, [join(process.cwd(), "dist/cli.js"), "pack", "vm.hxz", "--disk", "vm.img", "-s"], {
    cwd,
  });
  const [program] = codeBlocks(readFileSync("README.md", "utf8"));
  const printed = runProgram(`${program}\nprocess.stdout.write(superblock);\nawait archive.close();`, cwd);
  expect(printed).toBe(image.toString("latin1", 1024, 2048));
});
