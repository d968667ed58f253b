/**
 * Who may read which site: keys for programs and share links for people, each for one site, and sessions of people who
 * signed in elsewhere. The store holds hashes, never the secrets. Knows no HTTP; hashing and comparing are given to it.
 */
import { ClickstreamError } from "../errors.ts";
import type { Clock, EpochMs } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import { decodeJson, encodeJson } from "./json.ts";

/** A key is for a program and lives until it is removed; a share link is for people and expires; so does a session. */
export type GrantKind = "key" | "share" | "session";

/** A link that lives for longer is a key. */
export const MAX_SHARE_DAYS = 3_660;

/** Of what a grant is called: what is longer, or breaks lines, makes a list of them unreadable. */
export const MAX_LABEL_CHARS = 100;
export const isLabel = (text: unknown): text is string =>
  typeof text === "string" && text.length <= MAX_LABEL_CHARS && !/\p{Cc}/u.test(text);

export interface Grant {
  /** Names it in lists and logs; no secret. */
  readonly id: string;
  readonly kind: GrantKind;
  /** The one site that it is for; empty for a session, whose groups say it. */
  readonly site: string;
  readonly createdAt: EpochMs;
  readonly expiresAt?: EpochMs;
  /** What the operator calls it. */
  readonly label?: string;
  /** Of a key: it may also change the site's goals, funnels and share links. */
  readonly mayWrite?: true;
  /** Of a session: those of the user when it began. */
  readonly groups?: readonly string[];
}

/** Groups of users: who is in the first changes and reads every site, in the second reads every site, in none nothing. */
export const OWNERS = "owners";
export const READERS = "readers";
/** Before a site's id it names the group that reads that site. */
const SITE_GROUP = "site:";

function isFor({ site, groups }: Grant, siteId: string): boolean {
  return groups
    ? groups.some((group) => group === OWNERS || group === READERS || group === SITE_GROUP + siteId)
    : siteId === site;
}

function isWriting({ kind, mayWrite, groups }: Grant): boolean {
  return groups ? groups.includes(OWNERS) : kind === "key" && mayWrite === true;
}

export interface Secrets {
  /** One-way, 64 hex digits. */
  readonly hash: (text: string) => string;
  /** Takes the same time wherever the texts differ. */
  readonly equal: (a: string, b: string) => boolean;
}

/** What a request may read. */
export interface Reader {
  /** The grant it came with; undefined where none was asked for. */
  readonly grant: Grant | undefined;
  mayRead(siteId: string): boolean;
  /** Throws `forbidden` unless it may read this site, whether the site exists or not. */
  check(siteId: string): void;
  /** Whether it may change what a site's owner defines. Never by a share link. */
  mayWrite(siteId: string): boolean;
}

interface Stored extends Omit<Grant, "id"> {
  readonly hash: string;
}

const PK = "access";
const ID_BYTES = 6;
/** 256 bits: not to be guessed, however many are tried. */
const SECRET_BYTES = 32;
/** A prefix by which people and scanners of leaked secrets know what they have found. */
const PREFIX: Readonly<Record<GrantKind, string>> = { key: "rvk", share: "rvs", session: "rvu" };
const TOKEN = /^(rvk|rvs|rvu)_([0-9a-f]{12})_([0-9a-f]{64})$/;

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export interface GrantDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly secrets: Secrets;
  readonly randomBytes: (length: number) => Uint8Array;
}

/**
 * Makes a key or share link for one site. The token is in no other place than this answer: show it once. The site need
 * not be registered; the caller says so where that would be a mistake.
 */
export async function createGrant(
  { store, clock, secrets, randomBytes }: GrantDeps,
  wanted: {
    readonly kind: GrantKind;
    readonly site: string;
    readonly lifeMs?: number;
    readonly label?: string;
    readonly mayWrite?: boolean;
    readonly groups?: readonly string[];
  },
): Promise<{ readonly grant: Grant; readonly token: string }> {
  const { kind, site, lifeMs, label, mayWrite, groups } = wanted;
  const createdAt = clock.now();
  for (;;) {
    const id = hex(randomBytes(ID_BYTES));
    const token = `${PREFIX[kind]}_${id}_${hex(randomBytes(SECRET_BYTES))}`;
    const expiresAt = lifeMs === undefined ? undefined : createdAt + lifeMs;
    const facts = {
      kind,
      site,
      createdAt,
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(label === undefined ? {} : { label }),
      ...(mayWrite && kind === "key" ? { mayWrite: true as const } : {}),
      ...(groups === undefined ? {} : { groups }),
    };
    const stored: Stored = { ...facts, hash: secrets.hash(token) };
    const value = encodeJson(stored);
    const item = { pk: PK, sk: id, value, ...(expiresAt === undefined ? {} : { expiresAt }) };
    // An id that is taken, by a chance of one in 2^48, is drawn again.
    if (await store.put(item, 0)) return { grant: { id, ...facts }, token };
  }
}

/** The grants that are valid now, oldest first; of one site, or of all. */
export async function listGrants(
  { store, clock }: Pick<GrantDeps, "store" | "clock">,
  site?: string,
): Promise<Grant[]> {
  const now = clock.now();
  return (await store.list(PK))
    .map(({ sk, value }) => grantOf(sk, decodeJson<Stored>(value)))
    .filter((grant) => isValid(grant, now) && (site === undefined || grant.site === site))
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

/** Takes a grant of this site and kind back. False when there is none with this id. */
export async function removeGrant(
  store: Store,
  { id, site, kind }: { readonly id: string; readonly site: string; readonly kind: GrantKind },
): Promise<boolean> {
  const item = /^[0-9a-f]{12}$/.test(id) ? await store.get({ pk: PK, sk: id }) : undefined;
  if (!item) return false;
  const stored = decodeJson<Stored>(item.value);
  if (stored.site !== site || stored.kind !== kind) return false;
  await store.delete([{ pk: PK, sk: id }]);
  return true;
}

const grantOf = (id: string, { hash: _, ...facts }: Stored): Grant => ({ id, ...facts });
const isValid = ({ expiresAt }: { readonly expiresAt?: EpochMs }, now: EpochMs): boolean =>
  expiresAt === undefined || now < expiresAt;

/** A grant that was taken back stops working within this time. */
const REMEMBER_MS = 5_000;
const MAX_REMEMBERED = 1_000;

/** `isOwnMachine`: whoever reaches the server sits at it, so who shows nothing may also write. */
export class AccessControl {
  readonly #deps: Pick<GrantDeps, "store" | "clock" | "secrets">;
  readonly #isKeyRequired: boolean;
  readonly #isOwnMachine: boolean;
  /** Grants read lately, by id. */
  readonly #known = new Map<string, { readonly stored: Stored; readonly readAt: EpochMs }>();

  constructor(
    deps: Pick<GrantDeps, "store" | "clock" | "secrets">,
    { isKeyRequired, isOwnMachine = false }: { isKeyRequired: boolean; isOwnMachine?: boolean },
  ) {
    this.#deps = deps;
    this.#isKeyRequired = isKeyRequired;
    this.#isOwnMachine = isOwnMachine;
  }

  /**
   * Who asks, by the token sent. A token that is wrong or has expired is refused even where none is needed: who holds
   * a link to one site must not see all when it ends. Throws `unauthorized`.
   */
  async reader(token: string | undefined): Promise<Reader> {
    if (token === undefined) {
      if (this.#isKeyRequired)
        throw new ClickstreamError("unauthorized", "authorization: a key or a share link is needed");
      return {
        grant: undefined,
        mayRead: () => true,
        check: () => {},
        mayWrite: () => this.#isOwnMachine,
      };
    }
    const grant = await this.grant(token);
    if (!grant)
      throw new ClickstreamError(
        "unauthorized",
        "authorization: the key or share link is not valid, or no more",
      );
    return {
      grant,
      mayRead: (siteId) => isFor(grant, siteId),
      check(siteId) {
        if (!isFor(grant, siteId))
          throw new ClickstreamError(
            "forbidden",
            grant.groups
              ? "site_id: you are in no group that may read this site"
              : "site_id: the key or share link is for another site",
          );
      },
      mayWrite: (siteId) => isFor(grant, siteId) && isWriting(grant),
    };
  }

  /** What a token stands for, if it is valid. */
  async grant(token: string): Promise<Grant | undefined> {
    const [, prefix, id = ""] = TOKEN.exec(token) ?? [];
    if (!prefix) return undefined;
    const { secrets, clock } = this.#deps;
    const stored = await this.#read(id);
    // Hashed also when there is no such id, so that the time tells nothing.
    const isSame = secrets.equal(secrets.hash(token), stored?.hash ?? secrets.hash(""));
    return stored && isSame && isValid(stored, clock.now()) ? grantOf(id, stored) : undefined;
  }

  async #read(id: string): Promise<Stored | undefined> {
    const now = this.#deps.clock.now();
    const known = this.#known.get(id);
    if (known && now >= known.readAt && now - known.readAt < REMEMBER_MS) return known.stored;
    this.#known.delete(id);
    const item = await this.#deps.store.get({ pk: PK, sk: id });
    if (!item) return undefined;
    const stored = decodeJson<Stored>(item.value);
    this.#known.set(id, { stored, readAt: now });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_REMEMBERED) break;
      this.#known.delete(oldest);
    }
    return stored;
  }
}

/**
 * The token of a request: `Authorization: Bearer TOKEN`, else the `share` parameter of its URL, else that of a session.
 * Other kinds of authorization belong to a proxy with a login and are not ours. Keys are not taken from URLs, because
 * URLs end up in logs and histories: that throws `unauthorized`.
 */
export function tokenOf(
  authorization: string | undefined,
  share: string | null | undefined,
  session?: string,
): string | undefined {
  const token = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
  if (token !== undefined || !share) return token ?? session;
  if ([PREFIX.key, PREFIX.session].some((prefix) => share.startsWith(`${prefix}_`)))
    throw new ClickstreamError("unauthorized", "share: this is a key; send it as Authorization: Bearer KEY");
  return share;
}
