/** Base64 as the edge writes it, back to bytes and text. Knows nothing of what the text means. */

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const lenientUtf8 = new TextDecoder("utf-8");

/** Text of base64 that must hold valid UTF-8, or undefined when either is broken. */
export function base64Text(encoded: string): string | undefined {
  const binary = binaryString(encoded);
  if (binary === undefined) return undefined;
  // Nearly all that browsers send is ASCII, and then the bytes are the text.
  return NOT_ASCII.test(binary) ? utf8Text(toBytes(binary)) : binary;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what the range begins with
const NOT_ASCII = /[^\x00-\x7f]/;

/** Text of a header: broken bytes become U+FFFD, because a header that cannot be read must not cost the batch. */
export function base64Header(encoded: string): string {
  const binary = binaryString(encoded);
  if (binary === undefined) return "";
  return NOT_ASCII.test(binary) ? lenientUtf8.decode(toBytes(binary)) : binary;
}

/** Strict UTF-8 to text, without a byte order mark; undefined when the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

// Uint8Array.fromBase64 would do both steps at once; Node 24 does not have it yet.
function binaryString(encoded: string): string | undefined {
  try {
    return atob(encoded);
  } catch {
    return undefined;
  }
}

function toBytes(binary: string): Uint8Array {
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
