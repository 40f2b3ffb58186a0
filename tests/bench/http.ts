import { Agent, type IncomingHttpHeaders, request } from 'node:http';

/** One answer, body and all. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A client of one server with kept-alive connections; leaner than fetch, so that it costs the load side little. */
export interface Http {
  send(method: string, path: string, headers?: Record<string, string>, body?: string): Promise<HttpAnswer>;
  close(): void;
}

/** Opens a client of `base` (http only). */
export function openHttp(base: string, connections = 256): Http {
  const { hostname, port } = new URL(base);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  return {
    send(method, path, headers = {}, body) {
      return new Promise((resolve, reject) => {
        const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
        const sent = request(
          { hostname, port, agent, method, path, headers: { ...headers, ...length } },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('error', reject);
            response.on('end', () =>
              resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
            );
          },
        );
        sent.on('error', reject);
        sent.end(body);
      });
    },
    close: () => agent.destroy(),
  };
}

/** A JSON request; throws on anything but 2xx. */
export async function sendJson(http: Http, path: string, token: string | null, body: unknown): Promise<unknown> {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const answer = await http.send('POST', path, headers, JSON.stringify(body));
  if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.body.toString().slice(0, 200)}`);
  return JSON.parse(answer.body.toString());
}
