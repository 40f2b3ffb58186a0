import { lookup } from 'node:dns';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Where we may send to, although somebody else gave us the address. */
export interface PostGuard {
  /** Host names: `push.example.com`, or `*.example.com` for everything below. Only https on the usual port. */
  readonly hosts: readonly string[];
  /** One origin that is allowed whatever it is, for tests: also http, also a private address. */
  readonly testOrigin?: URL | undefined;
}

/** The part of an answer that we listen to. */
export interface PostAnswer {
  readonly status: number;
  /** Seconds of `Retry-After`, also where it names a time; null without. */
  readonly retryAfterSeconds: number | null;
}

/** The address must not be called, now or ever: another scheme, host or port, or a name that leads inside. */
class RefusedAddress extends Error {
  readonly code = 'ADDRESS_REFUSED';

  constructor() {
    super('this address is not called');
    this.name = 'RefusedAddress';
  }
}

/** An answer that says more is not read. */
const MAX_ANSWER_BYTES = 16_384;
const MAX_ADDRESS_LENGTH = 1_000;

/** Everything that is not the public internet (RFC 6890, RFC 4193, RFC 4291). */
const INSIDE = insideAddresses();

/** True for an address that a guard lets through, as far as its text tells; its name is looked up when it is called. */
export function mayPostTo(guard: PostGuard, address: string): boolean {
  const url = address.length <= MAX_ADDRESS_LENGTH ? URL.parse(address) : null;
  if (!url || url.username || url.password) return false;
  if (guard.testOrigin?.origin === url.origin) return true;
  if (url.protocol !== 'https:' || url.port !== '' || isIP(url.hostname) !== 0) return false;
  return guard.hosts.some((host) =>
    host.startsWith('*.') ? url.hostname.endsWith(host.slice(1)) : url.hostname === host,
  );
}

/**
 * Posts bytes to an address that we were given (T-WH1, T-WH4): the host must be on the list, and the addresses behind
 * its name are looked at in the same breath as they are connected to, so that a name cannot change its mind in between.
 * Redirects are not followed, cookies and credentials not sent, and of the answer no more than 16 KB is taken.
 * @param signal ends it, whatever the other side does
 * @throws RefusedAddress, or Error with the `code` of what went wrong on the way
 */
export function guardedPost(
  guard: PostGuard,
  address: string,
  message: { readonly headers: Readonly<Record<string, string | number>>; readonly body: Buffer },
  signal: AbortSignal,
): Promise<PostAnswer> {
  if (!mayPostTo(guard, address)) return Promise.reject(new RefusedAddress());
  const url = new URL(address);
  const isTest = guard.testOrigin?.origin === url.origin;
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      headers: { ...message.headers, 'Content-Length': message.body.length },
      // a connection for each: there are few, and none outlives what it was looked up for
      agent: false as const,
      signal,
      ...(isTest ? {} : { lookup: publicLookup }),
    };
    const request = send(url, options, (response) => {
      const answer = {
        status: response.statusCode ?? 0,
        retryAfterSeconds: retryAfter(response.headers['retry-after'], response.headers.date),
      };
      let read = 0;
      response.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read > MAX_ANSWER_BYTES) response.destroy();
      });
      // the head says it all; what comes after may break off
      response.on('close', () => resolve(answer));
      response.on('error', () => resolve(answer));
    });
    request.on('error', reject);
    request.end(message.body);
  });
}

/** As `dns.lookup`; fails when any of the addresses is not a public one. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, found) => {
    if (error) return callback(error, '', 0);
    const [first] = found;
    if (!first || found.some(({ address, family }) => INSIDE.check(address, family === 6 ? 'ipv6' : 'ipv4'))) {
      return callback(new RefusedAddress(), '', 0);
    }
    if (options.all) return callback(null, found);
    return callback(null, first.address, first.family);
  });
};

/** `Retry-After` as seconds (RFC 9110, 10.2.3); a date counts from the answer's own `Date`. */
function retryAfter(value: string | undefined, date: string | undefined): number | null {
  if (value === undefined) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const [until, from] = [Date.parse(value), Date.parse(date ?? '')];
  return Number.isNaN(until) || Number.isNaN(from) ? null : Math.max(0, Math.round((until - from) / 1_000));
}

function insideAddresses(): BlockList {
  const list = new BlockList();
  const nets4 = [
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 3],
  ] as const;
  for (const [net, bits] of nets4) list.addSubnet(net, bits, 'ipv4');
  const nets6 = [
    ['::', 96],
    ['::ffff:0:0', 96],
    ['64:ff9b::', 96],
    ['64:ff9b:1::', 48],
    ['100::', 64],
    ['2001::', 23],
    ['2001:db8::', 32],
    ['2002::', 16],
    ['fc00::', 7],
    ['fe80::', 9],
    ['ff00::', 8],
  ] as const;
  for (const [net, bits] of nets6) list.addSubnet(net, bits, 'ipv6');
  return list;
}
