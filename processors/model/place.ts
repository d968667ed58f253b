/** Where an address is, finer than its country. Texts are "" where a table does not know. */
export interface Place {
  /** ISO 3166-2, as `US-CA`; where the table has no code, the name. */
  readonly region: string;
  readonly regionName: string;
  readonly city: string;
}

export const NOWHERE: Place = { region: "", regionName: "", city: "" };
