// The only place that asks the server over HTTP.

/** What the server refused, or `status` 0 if it could not be asked. */
export class Problem extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }

  /** The same request may succeed later. */
  get passing(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

let forbidden: () => void = () => {};

/** `act` is called when something is refused to whoever is signed in: it may be that their role has changed. */
export function onForbidden(act: () => void): void {
  forbidden = act;
}

/** A server that does not answer in this time is asked again. */
const TIMEOUT_MS = 10_000;

async function call(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), TIMEOUT_MS);
  signal?.addEventListener('abort', () => cut.abort(), { once: true });
  let response;
  try {
    response = await fetch(path, {
      method,
      signal: cut.signal,
      cache: 'no-store',
      credentials: 'same-origin',
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem(0, 'unreachable', 'the server cannot be reached');
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  if (response.status === 403) forbidden();
  const problem = (await response.json().catch(() => ({}))) as { code?: string; message?: string };
  throw new Problem(response.status, problem.code ?? 'error', problem.message ?? `${response.status} ${response.statusText}`);
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await call('GET', path, undefined, signal)).json()) as T;
}

async function send<T>(method: string, path: string, body: unknown): Promise<T | null> {
  const text = await (await call(method, path, body)).text();
  return text ? (JSON.parse(text) as T) : null;
}

export const post = <T>(path: string, body: unknown) => send<T>('POST', path, body);
export const put = <T>(path: string, body: unknown) => send<T>('PUT', path, body);
export const patch = <T>(path: string, body: unknown) => send<T>('PATCH', path, body);

export async function remove(path: string): Promise<void> {
  await call('DELETE', path);
}

/** Changes with every new page. */
export async function pageTag(): Promise<string | null> {
  return (await call('HEAD', '/')).headers.get('etag');
}
