import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

/** An answer of the server: JSON when it sent JSON, else null. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What a run of requests cost beyond the answers: how often it was told to wait, and how often it had to ask again. */
export interface RestCounts {
  requests: number;
  /** Answers 429; each was waited for as `Retry-After` said. */
  waits: number;
  /** Repeats after 503 or a lost connection. */
  retries: number;
}

/** A client of the REST interface that behaves: it waits when told to and repeats only what may be repeated. */
export interface RestClient {
  /**
   * One request with a JSON body. 429 and 503 are waited for (`Retry-After`) and lost connections are tried again, so
   * every request given here must be safe to repeat.
   * @param body made anew for each try when it is a function
   * @throws Error when the server could not be reached for `patienceMs`
   */
  ask(method: string, path: string, options?: { token?: string; body?: unknown }): Promise<Answer>;
  readonly counts: RestCounts;
  close(): void;
}

/** Longest time without any answer before a request gives up. */
const PATIENCE_MS = 60_000;

/** One try may take this long. */
const TRY_TIMEOUT_MS = 20_000;

/** Opens a client for the server at `base`, with at most `connections` kept alive. */
export function openRestClient(base: URL, connections: number): RestClient {
  const secure = base.protocol === 'https:';
  const agent = secure
    ? new HttpsAgent({ keepAlive: true, maxSockets: connections })
    : new HttpAgent({ keepAlive: true, maxSockets: connections });
  const counts: RestCounts = { requests: 0, waits: 0, retries: 0 };

  async function ask(method: string, path: string, options: { token?: string; body?: unknown } = {}): Promise<Answer> {
    let deadline = performance.now() + PATIENCE_MS;
    for (let attempt = 0; ; attempt += 1) {
      const body = typeof options.body === 'function' ? await options.body() : options.body;
      counts.requests += 1;
      const answer = await once(method, path, options.token, body).catch((error: Error) => error);
      if (answer instanceof Error) {
        if (performance.now() > deadline) throw new Error(`${method} ${path}: ${answer.message}`);
        counts.retries += 1;
        await pause(Math.min(2_000, 50 * 2 ** attempt));
        continue;
      }
      if (answer.status !== 429 && answer.status !== 503) return answer;
      if (answer.status === 429) {
        counts.waits += 1;
        deadline = performance.now() + PATIENCE_MS; // It answers; being told to wait is no failure.
      } else {
        if (performance.now() > deadline) return answer;
        counts.retries += 1;
      }
      await pause(answer.retryAfterMs ?? Math.min(5_000, 100 * 2 ** attempt));
    }
  }

  function once(
    method: string,
    path: string,
    token: string | undefined,
    body: unknown,
  ): Promise<Answer & { retryAfterMs: number | undefined }> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers: Record<string, string | number> = { accept: 'application/json' };
      if (token) headers['authorization'] = `Bearer ${token}`;
      if (text !== undefined) {
        headers['content-type'] = 'application/json';
        headers['content-length'] = Buffer.byteLength(text);
      }
      const options = { method, agent, headers, timeout: TRY_TIMEOUT_MS };
      const request = (secure ? requestHttps : requestHttp)(new URL(path, base), options, (response) => {
        readAnswer(response).then(resolve, reject);
      });
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', reject);
      request.end(text);
    });
  }

  return { ask, counts, close: () => agent.destroy() };
}

async function readAnswer(response: IncomingMessage): Promise<Answer & { retryAfterMs: number | undefined }> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer); // No encoding is set, so chunks are buffers.
  const text = Buffer.concat(chunks).toString('utf8');
  const isJson = /\bjson\b/.test(response.headers['content-type'] ?? '') && text !== '';
  return {
    status: response.statusCode ?? 0,
    body: isJson ? JSON.parse(text) : null,
    retryAfterMs: retryAfterMs(response.headers['retry-after']),
  };
}

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** A little later than asked, and not all at once. */
function pause(ms: number): Promise<void> {
  return sleep(ms + Math.random() * 50);
}
