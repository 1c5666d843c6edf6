/** Requests to the server this page came from, and what can become of them. */

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly param: string | null = null,
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
    this.name = "Problem";
  }

  /** Whether nobody answered at all. */
  get gone(): boolean {
    return this.status === 0;
  }
}

type Method = "GET" | "POST" | "DELETE";
type Asked = { body?: unknown; bearer?: string; idempotencyKey?: string; signal?: AbortSignal };

let csrf: string | null = null;
const listeners = new Set<(problem: Problem | null) => void>();

/** The proof that a request comes from this page: the cookie alone would be sent for others too. */
export function keepCsrfToken(token: string | null): void {
  csrf = token;
}

/** Tells of every problem, and with null of every answer. */
export function onAnswer(listener: (problem: Problem | null) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export async function ask<T>(method: Method, path: string, asked: Asked = {}): Promise<T> {
  const answer = await send(method, path, asked);
  return (await answer.json()) as T;
}

export async function askText(path: string): Promise<string> {
  return (await send("GET", path, {})).text();
}

async function send(method: Method, path: string, asked: Asked): Promise<Response> {
  const headers: Record<string, string> = {};
  if (asked.bearer) headers.authorization = `Bearer ${asked.bearer}`;
  else if (method !== "GET" && csrf) headers["x-csrf-token"] = csrf;
  if (asked.idempotencyKey) headers["idempotency-key"] = asked.idempotencyKey;
  const form = asked.body instanceof FormData;
  if (asked.body !== undefined && !form) headers["content-type"] = "application/json";
  const body = form
    ? (asked.body as FormData)
    : asked.body === undefined
      ? null
      : JSON.stringify(asked.body);
  let answer: Response;
  try {
    answer = await fetch(path, { method, headers, body, signal: asked.signal ?? null });
  } catch (error) {
    if (asked.signal?.aborted) throw error;
    throw told(new Problem(0, "server_gone", "The server does not answer."));
  }
  if (!answer.ok) throw told(await problemOf(answer));
  told(null);
  return answer;
}

function told<P extends Problem | null>(problem: P): P {
  for (const tell of listeners) tell(problem);
  return problem;
}

async function problemOf(answer: Response): Promise<Problem> {
  const retry = Number(answer.headers.get("retry-after"));
  let code = `http_${answer.status}`;
  let message = answer.statusText;
  let param: string | null = null;
  try {
    const said = await answer.json();
    code = said.error.code ?? code;
    message = said.error.message ?? message;
    param = said.error.param ?? null;
  } catch {
    // something between the page and the server answered
  }
  return new Problem(answer.status, code, message, param, retry > 0 ? retry : null);
}

/** `?a=1&b=2` of what is there. */
export function query(
  values: Record<string, string | number | boolean | null | undefined>,
): string {
  const pairs = Object.entries(values).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}
