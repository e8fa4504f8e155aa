// How archives descend from each other, from what each says of its parents. A root lists every archive that stores
// something of it, ancestors included; here a parent is direct unless it is an ancestor of another one.

/** Another archive, as a child names it. */
export interface ParentName {
  /** Archive id in hexadecimal; undefined where the format knows names only. */
  readonly id: string | undefined;
  readonly hint: string;
}

/** An archive, or a file that should be one. */
export interface Member {
  /** Undefined: the file could not be read, or its format has none. */
  readonly id: string | undefined;
  readonly parents: readonly ParentName[];
}

/** Members by their number in the list that was given. */
export interface Lineage {
  /** Direct parents that are in the list. */
  readonly parents: readonly (readonly number[])[];
  readonly children: readonly (readonly number[])[];
  /** Direct parents that are not, by member. */
  readonly missingOf: readonly (readonly ParentName[])[];
  /** All of these, once each. */
  readonly missing: readonly ParentName[];
  /** Members that have no parent in the list. */
  readonly roots: readonly number[];
}

/**
 * @param findNamed the member that a child of a format without ids means
 */
export function lineageOf<M extends Member>(
  members: readonly M[],
  findNamed: (child: M, hint: string) => M | undefined = () => undefined,
): Lineage {
  const byId = new Map<string, number>();
  const numbers = new Map<M, number>();
  for (const [number, member] of members.entries()) {
    numbers.set(member, number);
    // Of copies the first one stands for all.
    if (member.id !== undefined && !byId.has(member.id)) byId.set(member.id, number);
  }
  const numberOf = (child: M, { id, hint }: ParentName): number | undefined => {
    if (id !== undefined) return byId.get(id);
    const named = findNamed(child, hint);
    return named === undefined ? undefined : numbers.get(named);
  };
  const listed: number[][] = [];
  const missingOf: ParentName[][] = [];
  for (const [child, member] of members.entries()) {
    const found = member.parents.map((parent) => numberOf(member, parent));
    listed.push([...new Set(found.filter((number) => number !== undefined && number !== child))] as number[]);
    missingOf.push(member.parents.filter((_, at) => found[at] === undefined));
  }
  const parents = directParents(listed);
  const children: number[][] = members.map(() => []);
  for (const [child, numbers] of parents.entries()) for (const parent of numbers) children[parent]!.push(child);
  const direct = missingOf.map((missing, child) => directMissing(missing, parents[child]!, parents, missingOf));
  const missing = new Map(direct.flat().map((parent) => [keyOf(parent), parent]));
  const roots = [...members.keys()].filter((number) => parents[number]!.length === 0);
  return { parents, children, missingOf: direct, missing: [...missing.values()], roots };
}

export function keyOf({ id, hint }: ParentName): string {
  return id ?? `name ${hint}`;
}

/** Takes out the parents that are ancestors of other parents. */
function directParents(listed: readonly (readonly number[])[]): number[][] {
  const direct: number[][] = [];
  for (const child of ancestorsFirst(listed)) {
    const above = ancestorsOf(listed[child]!, (number) => direct[number] ?? listed[number]!, child);
    const left = listed[child]!.filter((parent) => !above.has(parent));
    // Only where names go in a circle is every parent above another one.
    direct[child] = left.length === 0 ? [...listed[child]!] : left;
  }
  return direct;
}

/** What is above some members; they themselves only where one is above another. */
function ancestorsOf(
  members: readonly number[],
  above: (number: number) => readonly number[],
  child: number,
): Set<number> {
  const found = new Set<number>();
  const open = members.flatMap(above);
  for (let number = open.pop(); number !== undefined; number = open.pop()) {
    if (number === child || found.has(number)) continue;
    found.add(number);
    open.push(...above(number));
  }
  return found;
}

/** Every member once, those above it before it, circles aside. */
function ancestorsFirst(listed: readonly (readonly number[])[]): number[] {
  const order: number[] = [];
  const seen = new Uint8Array(listed.length);
  for (const first of listed.keys()) {
    const path: { number: number; next: number }[] = [];
    const enter = (number: number) => {
      if (seen[number]) return;
      seen[number] = 1;
      path.push({ number, next: 0 });
    };
    enter(first);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const above = listed[top.number]!;
      if (top.next < above.length) enter(above[top.next++]!);
      else {
        order.push(top.number);
        path.pop();
      }
    }
  }
  return order;
}

/** A missing archive that a parent in the list also names is an ancestor, as far as one can see. */
function directMissing(
  missing: readonly ParentName[],
  parents: readonly number[],
  direct: readonly (readonly number[])[],
  missingOf: readonly (readonly ParentName[])[],
): ParentName[] {
  if (missing.length === 0) return [];
  const above = [...parents, ...ancestorsOf(parents, (number) => direct[number]!, -1)];
  const known = new Set(above.flatMap((number) => missingOf[number]!).map(keyOf));
  return missing.filter((parent) => !known.has(keyOf(parent)));
}

/** One line of a drawn tree. */
export interface DrawnRow {
  /** Lines that lead to it. */
  readonly prefix: string;
  readonly member?: number;
  /** In the place of a member: a parent that is not there. */
  readonly missing?: ParentName;
  /** It and what is below it stands further up. */
  readonly again: boolean;
}

/** A node of the drawing: a member, or what is missing. */
type Node = number | ParentName;

/** Rows from top to bottom: children below their parents, once in full, below others as a reference. */
export function* drawLineage({ children, missingOf, missing, parents, roots }: Lineage): Generator<DrawnRow> {
  const belowMissing = new Map<string, number[]>();
  for (const [child, names] of missingOf.entries()) {
    for (const name of names) belowMissing.set(keyOf(name), [...(belowMissing.get(keyOf(name)) ?? []), child]);
  }
  const below = (node: Node) => (typeof node === "number" ? children[node]! : belowMissing.get(keyOf(node))!);
  const tops: Node[] = [...roots.filter((root) => missingOf[root]!.length === 0), ...missing];
  const drawn = new Set<number>();
  // Where names go in a circle nothing is on top; any member is as good as another.
  for (const first of unreached(tops, below, parents.length)) tops.push(first);

  interface Open {
    readonly nodes: readonly Node[];
    readonly indent: string;
    next: number;
  }
  const stack: Open[] = [{ nodes: tops, indent: "", next: 0 }];
  for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
    const node = open.nodes[open.next++];
    if (node === undefined) {
      stack.pop();
      continue;
    }
    const isLast = open.next === open.nodes.length;
    const again = typeof node === "number" && drawn.has(node);
    const prefix = open.indent + (isLast ? "└── " : "├── ");
    yield typeof node === "number" ? { prefix, member: node, again } : { prefix, missing: node, again };
    if (again) continue;
    if (typeof node === "number") drawn.add(node);
    stack.push({ nodes: below(node), indent: open.indent + (isLast ? "    " : "│   "), next: 0 });
  }
}

/** Members that a walk from the top does not come to; of those below one another the first. */
function unreached(tops: readonly Node[], below: (node: Node) => readonly number[], count: number): number[] {
  const reached = new Set<number>();
  const reach = (from: Node) => {
    const open: Node[] = [from];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (typeof node === "number") {
        if (reached.has(node)) continue;
        reached.add(node);
      }
      open.push(...below(node));
    }
  };
  for (const top of tops) reach(top);
  const firsts: number[] = [];
  for (let number = 0; number < count; number++) {
    if (reached.has(number)) continue;
    firsts.push(number);
    reach(number);
  }
  return firsts;
}
