/**
 * What an archive has answered of questions that were not answered whole. One question may be several to it, and where
 * one of them takes longer than a request waits, the same request comes again: if that began them all anew, those that
 * take long would never all be answered at once.
 */
import { type Clock, type EpochMs, SECOND_MS } from "../../model/time.ts";
import type { ArchiveAnswer, QueryArchive } from "./archive.ts";

/** Who was told to come again does so within a second or two. */
const KEPT_MS = 15 * SECOND_MS;
const MAX_KEPT = 32;

interface Told {
  /** By what was asked of the archive. */
  readonly answers: Map<string, ArchiveAnswer>;
  readonly expiresAt: EpochMs;
}

export class Unanswered {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Told>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does what `work` does, with an archive that is not asked again for what it told when the same question was asked before. Throws what `work` throws. */
  async ask<T>(
    question: string,
    archive: QueryArchive,
    work: (archive: QueryArchive) => Promise<T>,
  ): Promise<T> {
    // They come in the order in which they go.
    for (const [oldest, { expiresAt }] of this.#kept) {
      if (expiresAt > this.#clock.now()) break;
      this.#kept.delete(oldest);
    }
    const answers = this.#kept.get(question)?.answers ?? new Map<string, ArchiveAnswer>();
    this.#kept.delete(question);
    try {
      return await work({
        async answer(asked) {
          const { site, request, range, buckets, keptFrom } = asked;
          const key = JSON.stringify([site.id, request, range, buckets.length, keptFrom]);
          const told = answers.get(key) ?? (await archive.answer(asked));
          answers.set(key, told);
          return told;
        },
      });
    } catch (error) {
      this.#kept.set(question, { answers, expiresAt: this.#clock.now() + KEPT_MS });
      for (const oldest of this.#kept.keys()) {
        if (this.#kept.size <= MAX_KEPT) break;
        this.#kept.delete(oldest);
      }
      throw error;
    }
  }
}
