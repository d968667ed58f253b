/** The door between the page and us: whatever goes wrong on our side of it stays here. */

/** Makes `run` safe to hand to the page: its exceptions are swallowed, because a visitor must not pay for our bug. */
export const guard =
  <A extends unknown[]>(run: (...given: A) => void) =>
  (...given: A): void => {
    try {
      run(...given);
    } catch {}
  };

/**
 * Listens on the window for space-separated event `names`.
 * Capturing, so that a page that stops propagation hides nothing.
 */
export const on = <E extends Event>(names: string, run: (event: E) => void): unknown =>
  names.split(" ").map((name) => addEventListener(name, guard(run) as (event: Event) => void, true));
