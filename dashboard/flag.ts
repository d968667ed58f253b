/** A country's mark: its flag where this system can draw flags, else its two letters, which always can be read. */

let drawsFlags: boolean | undefined;

/** Windows and plain Linux have no flag glyphs; there the two letters of a flag come out as wide as two letters. */
function canDrawFlags(): boolean {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!context) return false;
  context.canvas.width = context.canvas.height = 16;
  context.font = "12px sans-serif";
  context.fillStyle = "#000";
  context.fillText("\u{1F1F0}\u{1F1F7}", 0, 13);
  // Letters and missing glyphs are drawn in the one colour asked for; a flag has colours of its own.
  const { data } = context.getImageData(0, 0, 16, 16);
  return data.some((value, i) => i % 4 !== 3 && value > 40);
}

/** `code` is ISO 3166-1 alpha-2; "" for anything else. */
export function flag(code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) return "";
  drawsFlags ??= canDrawFlags();
  return drawsFlags
    ? String.fromCodePoint(...[...code].map((letter) => 0x1f1a5 + letter.charCodeAt(0)))
    : code;
}
