// Analysis of an input with all candidates, and of one setting: against reading the same bytes, and hashing them.
import * as ours from "./ours.mjs";

/** A `cat` shows what the disk and the cache give, b3sum what one pass over all bytes with both cores costs. */
export function analyze({ name, path, tools, context }) {
  const { engines, withOurs } = context;
  const own = withOurs
    ? engines.flatMap((engine) => [
        { id: `ours:${engine}`, label: `**ours** analyze, ${engine}`, argv: ours.lookCommand("analyze", engine, path) },
        {
          id: `ours-predict:${engine}`,
          label: `**ours** predict zstd, ${engine}`,
          argv: [...ours.lookCommand("predict", engine, path), "--compression", "zstd"],
        },
      ])
    : [];
  const readers = tools.readers(path).filter((reader) => reader && reader.id !== "copy");
  return {
    title: `analyze, default candidates, ${name}`,
    contenders: [own, readers],
    comparisons: [
      { metric: "speed", peer: "cat" },
      { metric: "speed", peer: "b3sum" },
      { metric: "speed", peer: "b3sum", suffix: "-predict" },
    ],
  };
}
