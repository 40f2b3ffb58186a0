import type { IncomingMessage } from 'node:http';
import { AppError, BadRequest } from '../errors/index.ts';

/**
 * Refuses what two readers could read differently: two Host headers, a Host that is none, an absolute request target
 * (400); and every Host but ours once the public address is known (421). Forwarded-Host is never looked at (T-TEN8).
 */
export function createHostCheck(
  publicUrl: URL | undefined,
  filesUrl: URL | undefined,
): (request: IncomingMessage) => void {
  const known = publicUrl ? new Set([publicUrl.host, filesUrl?.host]) : null;
  return (request) => {
    const host = request.headers.host;
    if (host === undefined || !/^[A-Za-z0-9._-]+(:\d{1,5})?$|^\[[0-9a-fA-F:.]+\](:\d{1,5})?$/.test(host))
      throw ambiguous();
    if (request.url?.charCodeAt(0) !== 0x2f || hostHeaders(request.rawHeaders) > 1) throw ambiguous();
    if (known && !known.has(host.toLowerCase()))
      throw new AppError(421, 'misdirected', 'This server has another address.');
  };
}

/** Node keeps the first of several Host headers silently; here they count. */
function hostHeaders(raw: readonly string[]): number {
  let count = 0;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

function ambiguous(): BadRequest {
  return new BadRequest('ambiguous_host', 'The request could not be understood.');
}
