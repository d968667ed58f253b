/** Writes small tables in MaxMind's format (https://maxmind.github.io/MaxMind-DB/), for tests of what reads them. */
import { isIPv4 } from "node:net";

type Value = string | number | readonly Value[] | { readonly [key: string]: Value };
type Node = [left: Node | number | undefined, right: Node | number | undefined];

const RECORD_BITS = 24;
/** Between the tree and the data. */
const SEPARATOR = Buffer.alloc(16);

/** A table of IPv4 networks (`1.2.3.0/24`), which lie below ::/96 as in the real ones, that do not overlap. */
export function mmdb(type: string, networks: Readonly<Record<string, Value>>): Buffer {
  const root: Node = [undefined, undefined];
  const values: Buffer[] = [];
  let length = 0;
  for (const [network, value] of Object.entries(networks)) {
    insert(root, bitsOf(network), length);
    values.push(encoded(value));
    length += values.at(-1)!.length;
  }
  const nodes: Node[] = [];
  number(root, nodes);
  const tree = Buffer.alloc(nodes.length * 6);
  nodes.forEach((node, i) => {
    for (const side of [0, 1] as const) {
      const to = node[side];
      const record =
        to === undefined
          ? nodes.length
          : typeof to === "number"
            ? nodes.length + SEPARATOR.length + to
            : nodes.indexOf(to);
      tree.writeUIntBE(record, i * 6 + side * 3, 3);
    }
  });
  const metadata = encoded({
    node_count: nodes.length,
    record_size: RECORD_BITS,
    ip_version: 6,
    database_type: type,
    languages: ["en"],
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_700_000_000,
    description: { en: "made for a test" },
  });
  return Buffer.concat([
    tree,
    SEPARATOR,
    ...values,
    Buffer.from("\xab\xcd\xefMaxMind.com", "latin1"),
    metadata,
  ]);
}

function bitsOf(network: string): number[] {
  const [address = "", prefix = ""] = network.split("/");
  if (!isIPv4(address)) throw new RangeError(`${network}: no IPv4 network`);
  const bits = address
    .split(".")
    .flatMap((byte) => [...Number(byte).toString(2).padStart(8, "0")].map(Number));
  return [...Array<number>(96).fill(0), ...bits.slice(0, Number(prefix))];
}

function insert(root: Node, bits: readonly number[], at: number): void {
  let node = root;
  bits.forEach((bit, i) => {
    const side = bit as 0 | 1;
    if (i === bits.length - 1) node[side] = at;
    else {
      node[side] ??= [undefined, undefined];
      node = node[side] as Node;
    }
  });
}

function number(node: Node, into: Node[]): void {
  into.push(node);
  for (const child of node) if (Array.isArray(child)) number(child, into);
}

/** Texts of up to 284 bytes, whole numbers of 32 bits, arrays and maps of up to 28 entries. */
function encoded(value: Value): Buffer {
  if (typeof value === "string") {
    const text = Buffer.from(value);
    const head = text.length < 29 ? [(2 << 5) | text.length] : [(2 << 5) | 29, text.length - 29];
    return Buffer.concat([Buffer.from(head), text]);
  }
  if (typeof value === "number") {
    const bytes = Buffer.alloc(5, (6 << 5) | 4);
    bytes.writeUInt32BE(value, 1);
    return bytes;
  }
  if (Array.isArray(value))
    return Buffer.concat([Buffer.from([value.length, 11 - 7]), ...value.map(encoded)]);
  const entries = Object.entries(value);
  return Buffer.concat([
    Buffer.from([(7 << 5) | entries.length]),
    ...entries.flatMap(([key, inner]) => [encoded(key), encoded(inner as Value)]),
  ]);
}
