// Checking the envelope: its second slot area, and that what is inside belongs into one. Its segments are checked by
// reading what is in them (docs/format.md, "Encryption").

import type { Archive } from "./archive.ts";
import type { Findings } from "./findings.ts";

export function checkEnvelope({ root, envelope, source }: Archive, findings: Findings): void {
  if ((root.salt === undefined) !== (envelope === undefined)) {
    const what = envelope === undefined ? "plain and has a" : "encrypted and has no";
    findings.invalid("root", `${source.name} is ${what} salt`);
  }
  const where = "key slots";
  if (envelope?.otherArea === "damaged") {
    const message = `one of the two copies of the key slots of ${source.name} is damaged`;
    findings.add({ code: "damaged", where, message });
  }
  if (envelope?.otherArea === "different") {
    findings.invalid(where, `the copies of the key slots of ${source.name} differ: changing them was interrupted`);
  }
}
