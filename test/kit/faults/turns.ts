/**
 * Lets actors (workers, compactors, readers) run truly interleaved and yet repeatably: each waits before every call it
 * makes, and one at a time goes on until its next call. No timers, no luck: any interleaving of calls is a list of choices.
 */
import type { Choices } from "./choices.ts";
import type { Call, Fate, Plan } from "./fate.ts";

/** What an actor waits to do: a call, or nothing but to go on. */
export interface Waiting {
  readonly name: Call["name"] | "pause";
  readonly key: string;
  readonly writes: boolean;
}

interface Parked {
  readonly actor: string;
  readonly call: Waiting;
  readonly go: (fate: Fate) => void;
}

export interface Step {
  readonly actor: string;
  readonly call: Waiting;
  readonly fate: Fate;
}

export interface TurnsOptions {
  readonly choices: Choices;
  /** Chance that the actor goes on that went last; the others share the rest. High values let the others sleep for long. */
  readonly stay: number;
  /** What a call may meet, `pass` first. Not asked for pauses, which nothing befalls. */
  readonly fates: (actor: string, call: Waiting) => readonly Fate[];
  /** Chance that a call passes. */
  readonly calm: number;
  /** Where to write down what happens. */
  readonly steps?: Step[];
}

const PASS: readonly Fate[] = ["pass"];

export class Turns {
  readonly #options: TurnsOptions;
  /** Every actor that ever came, so that a choice names the same one whoever else waits. */
  readonly #roster: string[] = [];
  #parked: Parked[] = [];
  #current = "";
  #settle: () => void = () => {};
  #failure: { readonly error: unknown } | undefined;
  /** Everything that happened so far. */
  readonly steps: Step[];

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.steps = options.steps ?? [];
  }

  /** Whose turn it is, or was last. */
  get current(): string {
    return this.#current;
  }

  /** Runs an actor until its first call. What it throws, `step` throws: an actor handles the outages it expects itself. */
  async start(actor: string, work: () => Promise<void>): Promise<void> {
    if (!this.#roster.includes(actor)) this.#roster.push(actor);
    this.#current = actor;
    await this.#untilSettled(() => {
      work().then(
        () => this.#settle(),
        (error) => {
          this.#failure ??= { error };
          this.#settle();
        },
      );
    });
  }

  /** The plan of an actor's wrappers: each call waits for its turn and then meets the fate that was chosen. */
  plan(actor: string): Plan {
    return (call) => this.#park(actor, call);
  }

  /** A place in an actor's work where others may go first, without a call. */
  async pause(actor: string, what: string): Promise<void> {
    await this.#park(actor, { name: "pause", key: what, writes: false });
  }

  #park(actor: string, call: Waiting): Promise<Fate> {
    return new Promise((go) => {
      this.#parked.push({ actor, call, go });
      this.#settle();
    });
  }

  /** Lets one actor go on until it makes its next call, ends or dies. False when nobody waits. */
  async step(): Promise<boolean> {
    const { choices, stay, fates, calm } = this.#options;
    const turn = choices.pick(this.#roster.length + 1, stay);
    // Who waits in the place that was chosen, or the next one who waits.
    const from = turn === 0 ? this.#roster.indexOf(this.#current) : turn - 1;
    const roster = [...this.#roster.slice(from), ...this.#roster.slice(0, from)];
    let chosen: Parked | undefined;
    for (const actor of roster) chosen ??= this.#parked.find((it) => it.actor === actor);
    if (!chosen) return false;
    const { actor, call, go } = chosen;
    const possible = call.name === "pause" ? PASS : fates(actor, call);
    const fate = possible[choices.pick(possible.length, calm)] ?? "pass";
    this.#parked.splice(this.#parked.indexOf(chosen), 1);
    this.#current = actor;
    this.steps.push({ actor, call, fate });
    await this.#untilSettled(() => go(fate));
    return true;
  }

  /** Tell it when an actor died (`died` of the wrappers), because a dead actor makes no further call. */
  buried(actor: string): void {
    this.#parked = this.#parked.filter((parked) => parked.actor !== actor);
    this.#settle();
  }

  async #untilSettled(begin: () => void): Promise<void> {
    await new Promise<void>((settle) => {
      this.#settle = settle;
      begin();
    });
    if (this.#failure) throw this.#failure.error;
  }
}
