/** Where a command's words go. */

export interface Output {
  /** What was asked for: lines for standard output, without the last line break. */
  print(text: string): void;
  /** What a person should know besides: lines for standard error. */
  warn(text: string): void;
}

export interface Terminal extends Output {
  /** What goes on while something runs: `warn` with the time before it. */
  readonly log: (line: string) => void;
}

/** An output, and its lines with the time before them. */
export const terminalOf = (output: Output): Terminal => ({
  print: (text) => output.print(text),
  warn: (text) => output.warn(text),
  log: (line) => output.warn(`${new Date().toISOString()} ${line}`),
});
