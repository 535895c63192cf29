// Which page a path is, and what it names. Pure.

export type Params = Readonly<Record<string, string>>;

/** What `pattern` (like `/sites/{site}/zones/{zone}`) finds in a path; `null` if it is another page's. */
export function match(pattern: string, path: string): Params | null {
  const [wanted, given] = [pieces(pattern), pieces(path)];
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, want] of wanted.entries()) {
    const own = given[index]!;
    if (want.startsWith('{')) {
      try {
        params[want.slice(1, -1)] = decodeURIComponent(own);
      } catch {
        return null;
      }
    } else if (want !== own) return null;
  }
  return params;
}

/** The path of a pattern with its names filled in. */
export function fill(pattern: string, params: Params): string {
  return pattern.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}

const pieces = (path: string) => path.split('/').filter(Boolean);
