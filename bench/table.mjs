// Samples to numbers to markdown: the comparisons first, then every contender's own figures.

const MB = 1_000_000;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {object[]} samples of one contender, all rounds */
function summarize(samples) {
  const seconds = samples.map((sample) => sample.seconds);
  const all = (key) => samples.map((sample) => sample[key]).filter((value) => value !== undefined);
  const reports = all("report");
  return {
    count: samples.length,
    seconds: median(seconds),
    fastest: Math.min(...seconds),
    slowest: Math.max(...seconds),
    cpuSeconds: all("cpuSeconds").length ? median(all("cpuSeconds")) : undefined,
    // The worst round, not the middle one: memory that is needed once is needed.
    peakBytes: all("peakBytes").length ? Math.max(...all("peakBytes")) : undefined,
    outputBytes: all("outputBytes").at(-1),
    microseconds: reports.length ? median(reports.map((report) => report.median)) : undefined,
    slowMicroseconds: reports.length ? median(reports.map((report) => report.p99)) : undefined,
    notGated: samples.filter((sample) => !sample.gateOpen).length,
  };
}

/** Adds `summary` and, where a start is to be taken off, `netSeconds` to every contender that ran. */
export function summarizeCase(result) {
  for (const contender of result.contenders) {
    if (contender.samples.length) contender.summary = summarize(contender.samples);
  }
  for (const contender of result.contenders) {
    const start = result.contenders.find((other) => other.id === contender.start)?.summary;
    if (contender.summary && start) contender.summary.netSeconds = contender.summary.seconds - start.seconds;
  }
}

const METRICS = {
  speed: {
    value: (own, peer, net) => (net ? (peer.netSeconds ?? peer.seconds) : peer.seconds) / own.seconds,
    peer: (peer, net) =>
      `${peer.seconds.toFixed(2)} s${net && peer.netSeconds ? `, ${peer.netSeconds.toFixed(2)} net` : ""}`,
  },
  size: {
    value: (own, peer) => own.outputBytes / peer.outputBytes,
    peer: (peer) => `${megabytes(peer.outputBytes)} MB`,
    digits: 3,
    less: true,
  },
  latency: {
    value: (own, peer) => peer.microseconds / own.microseconds,
    peer: (peer) => `${peer.microseconds.toFixed(1)} µs`,
  },
  extra: {
    value: (own, peer) => (own.seconds - peer.seconds) * 1000,
    peer: (peer) => `${(peer.seconds * 1000).toFixed(0)} ms`,
    digits: 0,
    less: true,
    unit: " ms",
    sign: "+",
  },
  /** Of what there was to pack, in per cent. */
  share: {
    value: (own, peer) => (own.outputBytes / peer.outputBytes) * 100,
    peer: (peer) => `${megabytes(peer.outputBytes)} MB`,
    less: true,
    unit: " %",
  },
  memory: { value: (own) => own.peakBytes / MB, digits: 0, less: true, unit: " MB", sign: "" },
};

function format(metric, value) {
  const { digits = 2, unit = "x", sign = "" } = METRICS[metric];
  return `${value >= 0 ? sign : ""}${value.toFixed(digits)}${unit}`;
}

function threshold(metric, value) {
  if (value === undefined) return "";
  return `${METRICS[metric].less ? "≤" : "≥"} ${format(metric, value)}`;
}

function judge({ metric, atLeast, aim }, value) {
  const reaches = (wanted) => (METRICS[metric].less ? value <= wanted : value >= wanted);
  if (atLeast !== undefined && !reaches(atLeast)) return "below";
  return aim !== undefined && reaches(aim) ? "aim" : "";
}

/**
 * The comparisons of all cases as rows of values.
 * @returns {{ measure: string, comparison: object, peer: string, cells: ({ value: number, gross?: number, verdict: string } | null)[] }[]}
 */
export function compare(results, engines) {
  const rows = results.flatMap((result) =>
    result.comparisons.map((comparison) => {
      const find = (id) => result.contenders.find((contender) => contender.id === id);
      const peer = find(comparison.peer);
      const metric = METRICS[comparison.metric];
      const cells = engines.map((engine) => {
        const own = find(`ours${comparison.suffix ?? ""}:${engine}`)?.summary;
        if (!own || !peer?.summary) return null;
        const value = metric.value(own, peer.summary, comparison.net);
        const gross = comparison.net ? metric.value(own, peer.summary, false) : undefined;
        return { value, gross, verdict: judge(comparison, value) };
      });
      const about = { size: ": size", share: ": size", latency: "", extra: "" }[comparison.metric] ?? ": speed";
      const suffix = comparison.suffix ? ` (${comparison.suffix.slice(1).replaceAll("-", " ")})` : "";
      const measure = `${result.title}${suffix}${about} vs ${peer?.label ?? comparison.peer}`;
      return {
        measure,
        comparison,
        cells,
        peer: peer?.summary ? metric.peer(peer.summary, comparison.net) : "not run",
      };
    }),
  );
  const memory = memoryRow(results, engines);
  return memory ? [...rows, memory] : rows;
}

function memoryRow(results, engines) {
  const packs = results.flatMap((result) => result.contenders).filter((contender) => contender.packs);
  const comparison = { metric: "memory", atLeast: 200, aim: 120 };
  const cells = engines.map((engine) => {
    const peaks = packs
      .filter((contender) => contender.id.endsWith(`:${engine}`))
      .map((contender) => contender.summary?.peakBytes ?? 0);
    const value = Math.max(0, ...peaks) / MB;
    return value > 0 ? { value, verdict: judge(comparison, value) } : null;
  });
  return cells.some(Boolean)
    ? { measure: "peak memory of pack, worst of all above", comparison, cells, peer: "" }
    : null;
}

export function renderComparisons(rows, engines) {
  const cell = (row, value) => {
    if (!value) return "–";
    const text = format(row.comparison.metric, value.value);
    const gross = value.gross === undefined ? "" : ` (${format(row.comparison.metric, value.gross)} with its start)`;
    return `${value.verdict === "below" ? `**${text} below**` : text}${gross}${value.verdict === "aim" ? " ✓" : ""}`;
  };
  const head = ["measure", "at least", "aim", ...engines.map((engine) => `ours, ${engine}`), "the peer"];
  const body = rows.map((row) => [
    row.measure,
    threshold(row.comparison.metric, row.comparison.atLeast),
    threshold(row.comparison.metric, row.comparison.aim),
    ...row.cells.map((value) => cell(row, value)),
    row.peer,
  ]);
  return table(head, body);
}

export function renderRuns(results) {
  const head = [
    "",
    "median s",
    "fastest … slowest",
    "net of start",
    "CPU s",
    "MB out",
    "of input",
    "read µs p50 / p99",
    "peak MB",
    "not gated",
  ];
  return results
    .map((result) => {
      const body = result.contenders.map((contender) => {
        const { summary } = contender;
        if (!summary)
          return [contender.label, `failed: ${contender.failure ?? "not run"}`, ...Array(head.length - 2).fill("")];
        return [
          contender.label,
          summary.seconds.toFixed(3),
          `${summary.fastest.toFixed(3)} … ${summary.slowest.toFixed(3)}`,
          summary.netSeconds?.toFixed(3) ?? "",
          summary.cpuSeconds?.toFixed(2) ?? "",
          summary.outputBytes ? megabytes(summary.outputBytes) : "",
          summary.outputBytes ? `${((100 * summary.outputBytes) / result.input.size).toFixed(1)} %` : "",
          summary.microseconds ? `${summary.microseconds.toFixed(1)} / ${summary.slowMicroseconds.toFixed(0)}` : "",
          summary.peakBytes ? (summary.peakBytes / MB).toFixed(0) : "",
          summary.notGated ? `${summary.notGated} of ${summary.count}` : "",
        ];
      });
      const input = `${megabytes(result.input.size)} MB, ${result.input.note}`;
      return `### ${result.id}: ${result.title}\n\nInput: ${input}.\n\n${table(head, body)}`;
    })
    .join("\n\n");
}

function table(head, body) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...body.map(line)].join("\n");
}

function megabytes(bytes) {
  return (bytes / MB).toFixed(1);
}
