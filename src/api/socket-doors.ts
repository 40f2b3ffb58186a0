import type { IncomingHttpHeaders } from 'node:http';
import type { Identity, Person } from '../identity/index.ts';
import type { Live, Messaging } from '../messaging/index.ts';
import type { Config } from '../platform/config/index.ts';
import type { Log } from '../platform/database/index.ts';
import { bearerToken, clientAddress, createHostCheck, isOwnOrigin, readCookie } from '../platform/http/index.ts';
import type { Gate, Hub, SocketLimits, Visitor } from '../platform/realtime/index.ts';
import { preferredLanguage } from '../platform/views/index.ts';

/** What the doors of the live channel are made from. */
export interface SocketDeps {
  readonly hub: Hub;
  readonly live: Live;
  readonly messaging: Messaging;
  readonly identity: Identity;
  readonly log: Log;
}

/** Sockets and streams of one person at once; staff keep many conversations and windows open. */
const MAX_CONNECTIONS = { user: 10, admin: 60 } as const;

/** Addresses are shared by many phones of one network, and by a whole office; a node by several tenants. */
export const SOCKET_LIMITS: SocketLimits = {
  perAddress: 1_000,
  perTenant: 20_000,
  unknownPerAddress: 20,
  framesPerSecond: 100,
};

/** How upgrade requests are looked at: by the same rules as every other request. */
export function socketGate(
  { identity }: Pick<SocketDeps, 'identity'>,
  config: Pick<Config, 'publicUrl' | 'filesUrl' | 'proxyHops'>,
): Gate {
  const publicOrigin = config.publicUrl?.origin ?? null;
  return {
    credentialOf: (request) => credential(identity, request.headers)?.via ?? null,
    async identify(request) {
      const token = credential(identity, request.headers)?.token;
      const person = await identity.authenticate(token);
      if (!person) return null;
      const language = preferredLanguage({
        cookie: readCookie(request.headers.cookie, 'lang'),
        locale: person.locale,
        acceptLanguage: request.headers['accept-language'],
      });
      return visitor(identity, person, token, language);
    },
    isOwnOrigin: (origin, request) => isOwnOrigin(origin, publicOrigin, request.headers.host),
    checkHost: createHostCheck(config.publicUrl, config.filesUrl),
    clientAddress: (request) => clientAddress(request, config.proxyHops),
  };
}

/** How a request says who it is: by a header, which other sites cannot make a browser send, or by our cookie. */
export function credential(
  identity: Pick<Identity, 'cookie'>,
  headers: IncomingHttpHeaders,
): { readonly token: string; readonly via: 'bearer' | 'cookie' } | null {
  const bearer = bearerToken(headers.authorization);
  if (bearer !== undefined) return { token: bearer, via: 'bearer' };
  const cookie = identity.cookie.read(headers.cookie);
  return cookie === undefined ? null : { token: cookie, via: 'cookie' };
}

/** A signed-in person as the transports see them; asked again by the token. */
export function visitor(
  identity: Pick<Identity, 'authenticate'>,
  person: Person,
  token: string | undefined,
  language: string,
): Visitor {
  return {
    actor: person,
    language,
    expiresAtMs: person.sessionExpiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
    maxConnections: MAX_CONNECTIONS[person.side],
    renew: () => identity.authenticate(token),
  };
}
