import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/**
 * The client's address as the outermost of `hops` trusted proxies saw it. Only as many entries of X-Forwarded-For are
 * believed as there are proxies; one that is not an address, or a list that is too short (somebody went around the
 * proxy), leaves the socket's (T-DS2).
 */
export function clientAddress(request: IncomingMessage, hops: number): string {
  const socket = plainAddress(request.socket.remoteAddress ?? '') ?? '';
  if (hops === 0) return socket;
  const header = request.headers['x-forwarded-for'];
  const list = typeof header === 'string' ? header.split(',') : [];
  return plainAddress(list.at(-hops)?.trim() ?? '') ?? socket;
}

/** Without port and brackets, IPv4 in its own form; null when it is no address. */
function plainAddress(text: string): string | null {
  const bare = text
    .replace(/^\[([^\]]+)\](?::\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(bare) ? bare : null;
}
