/** Exhaustive search of a small state machine: every state that any interleaving of its steps can reach, of equal ones one. */

export interface Machine<S> {
  readonly initial: S;
  /** All states one step away, each with the step's name. */
  steps(state: S): Iterable<readonly [name: string, next: S]>;
  /** What is wrong with a state; undefined when it holds. */
  violation(state: S): string | undefined;
  /** The same for states of which one is as good as the other: neither what is wrong with them nor what follows differs. Default: everything in them. */
  key?(state: S): string;
}

export interface SearchResult {
  readonly states: number;
  /** The first violation found, with the shortest sequence of steps that leads to it. */
  readonly broken: { readonly why: string; readonly trace: readonly string[] } | undefined;
}

/** Breadth first, so that a counterexample is a shortest one. Throws RangeError beyond `maxStates`: nothing was proved then. */
export function search<S>(machine: Machine<S>, maxStates: number): SearchResult {
  interface Node {
    readonly state: S;
    readonly step: string;
    readonly from: Node | undefined;
  }
  const keyOf = (state: S): string => machine.key?.(state) ?? JSON.stringify(state);
  const seen = new Set<string>([keyOf(machine.initial)]);
  let frontier: Node[] = [{ state: machine.initial, step: "start", from: undefined }];
  while (frontier.length > 0) {
    const next: Node[] = [];
    for (const node of frontier) {
      const why = machine.violation(node.state);
      if (why !== undefined) return { states: seen.size, broken: { why, trace: traceOf(node) } };
      for (const [step, state] of machine.steps(node.state)) {
        const key = keyOf(state);
        if (seen.has(key)) continue;
        seen.add(key);
        if (seen.size > maxStates) throw new RangeError(`more than ${maxStates} states`);
        next.push({ state, step, from: node });
      }
    }
    frontier = next;
  }
  return { states: seen.size, broken: undefined };

  function traceOf(node: Node): string[] {
    const steps: string[] = [];
    for (let at: Node | undefined = node; at; at = at.from) steps.unshift(at.step);
    return steps;
  }
}
