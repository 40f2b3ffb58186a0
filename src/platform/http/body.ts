import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { BadRequest, TooLarge, UnsupportedType } from '../errors/index.ts';
import { type Fields, parseFields } from './fields.ts';

/** A message of 8,000 characters needs at most 96 KB, whether percent-encoded as a form or `\u`-escaped as JSON. */
export const MAX_BODY_BYTES = 128 * 1024;
const MAX_DEPTH = 16;
const NO_BODY: Fields = Object.freeze({});
const MEDIA_TYPES = { json: 'application/json', form: 'application/x-www-form-urlencoded' } as const;

/**
 * Reads and parses the body of one kind. An empty one is `{}`. Refuses other content types (415), compressed bodies
 * (415), too many bytes (413) and what cannot be parsed (400); never trusts a length that was only announced.
 */
export async function readBody(
  request: IncomingMessage,
  kind: 'json' | 'form',
  maxBytes: number,
  repeatable: ReadonlySet<string>,
): Promise<unknown> {
  if (!hasBody(request)) return NO_BODY;
  requireType(request, MEDIA_TYPES[kind]);
  const bytes = await readBytes(request, maxBytes);
  if (bytes.length === 0) return NO_BODY;
  if (!isUtf8(bytes)) throw notParseable();
  const text = bytes.toString('utf8');
  return kind === 'form' ? parseFields(text, repeatable) : parseJson(text);
}

/** True when the request announces a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/**
 * Refuses a body of another type, and a compressed one.
 * @throws UnsupportedType
 */
export function requireType({ headers }: IncomingMessage, expected: string): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new UnsupportedType('unsupported_encoding', 'Compressed bodies are not accepted.');
  }
  const given = headers['content-type'];
  if (given === expected) return;
  const [type, ...parameters] = (given ?? '').toLowerCase().split(';');
  const charset = parameters.find((parameter) => parameter.trim().startsWith('charset='));
  const isUtf8Text = charset === undefined || /^\s*charset="?utf-?8"?\s*$/.test(charset);
  if (type?.trim() !== expected || !isUtf8Text) throw new UnsupportedType();
}

function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new TooLarge();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
      else {
        // what still comes is read and thrown away by the server once the reply is out
        request.removeAllListeners('data');
        reject(new TooLarge());
      }
    });
    request.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length)));
    request.on('error', () => reject(notParseable()));
    // comes after every request; only one that was cut off has not ended
    request.on('close', () => request.readableEnded || reject(notParseable()));
  });
}

function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notParseable();
  }
  refuseTraps(value, 0);
  return value;
}

/** `__proto__` keys would poison a careless copy, endless nesting the stack of whoever walks it. */
function refuseTraps(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_DEPTH) throw notParseable();
  if (Array.isArray(value)) {
    for (const item of value) refuseTraps(item, depth + 1);
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') throw new BadRequest('unknown_field', 'A field is not known here.');
    refuseTraps(item, depth + 1);
  }
}

function notParseable(): BadRequest {
  return new BadRequest('not_parseable', 'The request could not be understood.');
}
