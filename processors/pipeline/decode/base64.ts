/** Base64 as the edge writes it, back to bytes and text. Knows nothing of what the text means. */

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const lenientUtf8 = new TextDecoder("utf-8");

/** Bytes of standard base64, or undefined when `encoded` is not base64. */
function base64Bytes(encoded: string): Uint8Array | undefined {
  const binary = binaryString(encoded);
  return binary === undefined ? undefined : toBytes(binary);
}

/** Text of base64 that must hold valid UTF-8, or undefined when either is broken. */
export function base64Text(encoded: string): string | undefined {
  const binary = binaryString(encoded);
  if (binary === undefined) return undefined;
  const bytes = toBytes(binary);
  return utf8Text(bytes);
}

/** Text of a header: broken bytes become U+FFFD, because a header that cannot be read must not cost the batch. */
export function base64Header(encoded: string): string {
  const bytes = base64Bytes(encoded);
  return bytes === undefined ? "" : lenientUtf8.decode(bytes);
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
