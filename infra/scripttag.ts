/** The line that a site's owner pastes into every page, wherever it is printed. */

export interface ScriptTag {
  /** Address of the collector. */
  readonly script: string;
  readonly site: string;
  /** Where pages report to, unless to `/v1/events` beside the script. */
  readonly reportTo?: string | undefined;
  /** Of the file, where the tag takes no other; see `snippets`. */
  readonly integrity?: string;
}

export function scriptTag({ script, site, reportTo, integrity }: ScriptTag): string {
  const attributes = [
    `src="${escaped(script)}"`,
    ...(integrity === undefined ? [] : [`integrity="${integrity}"`, `crossorigin="anonymous"`]),
    ...(reportTo === undefined ? [] : [`data-api="${escaped(reportTo)}"`]),
    `data-site="${escaped(site)}"`,
  ];
  return `<script defer ${attributes.join(" ")}></script>`;
}

/** As the value of an attribute in HTML. */
export const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
