/** Small choices that outlive the page. Storage may be forbidden (an embedded page, a strict browser): then they last as long as it. */

export function stored(name: string): string | null {
  try {
    return localStorage.getItem(`rivulet-${name}`);
  } catch {
    return null;
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(`rivulet-${name}`, value);
  } catch {
    // See above.
  }
}
