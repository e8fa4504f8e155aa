// lineageOf() and drawLineage(): direct parents, children, what is missing, and that every archive is drawn, whatever
// the family looks like.

import { describe, expect, test } from "vitest";
import { lookAt } from "../src/cli/looked.ts";
import { createMemorySource, type RangeSource } from "../src/core/index.ts";
import { drawLineage, lineageOf, type Member } from "../src/core/lineage.ts";
import { packPlan } from "./support/archives.ts";
import { randomFrom, SEED } from "./support/random.ts";

const random = randomFrom(SEED);

interface Named extends Member {
  readonly name: string;
}

/** "c < b a": c lists b and a as parents. */
function family(...lines: string[]): Named[] {
  return lines.map((line) => {
    const [name = "", list = ""] = line.split(" < ");
    const parents = list.split(" ").filter((id) => id !== "");
    return { name, id: name, parents: parents.map((id) => ({ id, hint: `${id}.hxz` })) };
  });
}

function shown(members: readonly Named[], findNamed?: (child: Named, hint: string) => Named | undefined) {
  const lineage = lineageOf(members, findNamed);
  const names = (numbers: readonly number[]) => numbers.map((number) => members[number]!.name).join(" ");
  const rows = [...drawLineage(lineage)].map(({ prefix, member, missing, again }) => {
    const name = member === undefined ? `? ${missing!.hint}` : members[member]!.name;
    return `${prefix}${name}${again ? " again" : ""}`;
  });
  return {
    lineage,
    parents: lineage.parents.map(names),
    children: lineage.children.map(names),
    roots: names(lineage.roots),
    rows,
  };
}

describe("direct parents", () => {
  test("an ancestor that a parent lists as well is not direct", () => {
    const { parents, children, rows } = shown(family("a", "b < a", "c < a b", "d < c a b"));
    expect(parents).toEqual(["", "a", "b", "c"]);
    expect(children).toEqual(["b", "c", "d", ""]);
    expect(rows).toEqual(["└── a", "    └── b", "        └── c", "            └── d"]);
  });

  test("an ancestor of an ancestor that only the parent's parent lists", () => {
    // d stores something of a and c, c of b alone, b of a
    expect(shown(family("a", "b < a", "c < b", "d < a c")).parents).toEqual(["", "a", "b", "c"]);
  });

  test("two unrelated parents are both direct; a diamond is drawn once in full", () => {
    const { parents, rows } = shown(family("a", "b < a", "c < a", "d < a b c", "e < d c"));
    expect(parents).toEqual(["", "a", "a", "b c", "d"]);
    expect(rows).toEqual([
      "└── a",
      "    ├── b",
      "    │   └── d",
      "    │       └── e",
      "    └── c",
      "        └── d again",
    ]);
  });

  test("copies have the same parents; children stand below the first", () => {
    const members = [...family("a", "b < a", "c < b"), { ...family("b < a")[0]!, name: "copy of b" }];
    const { rows, children } = shown(members);
    expect(children).toEqual(["b copy of b", "c", "", ""]);
    expect(rows).toEqual(["└── a", "    ├── b", "    │   └── c", "    └── copy of b"]);
  });
});

describe("what is missing", () => {
  test("children of a missing parent stand below it", () => {
    const { rows, roots, lineage } = shown(family("a", "b < x", "c < x", "d < y a"));
    expect(lineage.missing.map(({ id }) => id)).toEqual(["x", "y"]);
    expect(roots).toBe("a b c");
    expect(rows).toEqual([
      "├── a",
      "│   └── d",
      "├── ? x.hxz",
      "│   ├── b",
      "│   └── c",
      "└── ? y.hxz",
      "    └── d again",
    ]);
  });

  test("an ancestor that is missing for the parent, too, is not direct", () => {
    const { rows, lineage } = shown(family("b < x", "c < x b"));
    expect(lineage.missingOf.map((missing) => missing.length)).toEqual([1, 0]);
    expect(rows).toEqual(["└── ? x.hxz", "    └── b", "        └── c"]);
  });

  test("files that cannot be read keep their place", () => {
    const broken = { name: "broken", id: undefined, parents: [] };
    expect(shown([broken, ...family("a"), { ...broken, name: "worse" }]).rows).toEqual([
      "├── broken",
      "├── a",
      "└── worse",
    ]);
  });
});

test("parents known by name: found by the caller; what goes in a circle, or names itself, is drawn once", () => {
  const named = (name: string, parent?: string): Named => ({
    name,
    id: undefined,
    parents: parent === undefined ? [] : [{ id: undefined, hint: parent }],
  });
  const members = [
    named("a"),
    named("b", "a"),
    named("x", "y"),
    named("y", "x"),
    named("self", "self"),
    named("lost", "z"),
  ];
  const { rows, roots } = shown(members, (_, hint) => members.find(({ name }) => name === hint));
  expect(roots).toBe("a self lost");
  expect(rows).toEqual([
    "├── a",
    "│   └── b",
    "├── self",
    "├── ? z",
    "│   └── lost",
    "└── x",
    "    └── y",
    "        └── x again",
  ]);
});

test("random families: direct parents are the least that reach all listed ones, and everything is drawn", () => {
  for (let round = 0; round < 200; round++) {
    const count = 1 + random(12);
    const bases = Array.from({ length: count }, (_, number) =>
      Array.from({ length: number }, (_, at) => at).filter(() => random(4) === 0),
    );
    const above = bases.map(() => new Set<number>());
    for (const [number, parents] of bases.entries()) {
      for (const parent of parents) for (const one of [parent, ...above[parent]!]) above[number]!.add(one);
    }
    const order = Array.from({ length: count }, (_, number) => number).sort(() => random(3) - 1);
    const members = order.map(
      (number): Named => ({
        name: String(number),
        id: String(number),
        parents: [...above[number]!].map((parent) => ({ id: String(parent), hint: "" })),
      }),
    );
    const { lineage, rows } = shown(members);
    for (const [at, number] of order.entries()) {
      const least = [...above[number]!].filter(
        (parent) => ![...above[number]!].some((other) => above[other]!.has(parent)),
      );
      expect(lineage.parents[at]!.map((parent) => order[parent]!).sort(), `seed ${SEED}`).toEqual(least.sort());
    }
    const first = rows.filter((row) => !row.endsWith("again")).map((row) => row.replace(/^[^\d]*/, ""));
    expect(first.sort()).toEqual(order.map(String).sort());
  }
});

test("a thousand generations, each of which lists all before it", () => {
  const names = Array.from({ length: 1000 }, (_, number) => `n${number}`);
  const { parents, rows } = shown(
    family(...names.map((name, number) => `${name} < ${names.slice(0, number).join(" ")}`)),
  );
  expect(parents.slice(1)).toEqual(names.slice(0, -1));
  expect(rows.length).toBe(1000);
  expect(rows.at(-1)).toBe(`${" ".repeat(4 * 999)}└── n999`);
});

test("lookAt() reads each of a thousand archives once", async () => {
  const bytes = await packPlan({
    streams: [{ name: "disk", content: new Uint8Array(70_000).fill(7) }],
    options: { metadata: { note: "n" } },
  });
  let reads = 0;
  const open = (): RangeSource => {
    const source = createMemorySource(bytes);
    return {
      name: "counted",
      size: source.size,
      read(start, end) {
        reads++;
        return source.read(start, end);
      },
    };
  };
  for (let number = 0; number < 1000; number++) {
    const looked = await lookAt(`${number}.hxz` as Parameters<typeof lookAt>[0], open, {});
    if (number === 0) expect(looked).toMatchObject({ error: undefined, facts: { originalSize: 70_000, note: "n" } });
  }
  expect(reads).toBe(1000);
});
