import webPush from 'web-push';
import { guardedPost, mayPostTo, type PostGuard } from './guarded-post.ts';

/** A browser's subscription: where to send, and what to encrypt with (RFC 8291). */
export interface PushTarget {
  /** A secret: whoever has it may knock. Never logged. */
  readonly endpoint: string;
  /** P-256 point, 65 bytes. */
  readonly p256dh: Buffer;
  /** 16 bytes. */
  readonly auth: Buffer;
}

/** What a push service made of a notice. */
export type PushOutcome =
  | { readonly kind: 'taken' }
  /** The subscription is over (404, 410), or its address is one that we do not call. */
  | { readonly kind: 'gone' }
  /** Not this one: it would be refused again. */
  | { readonly kind: 'refused'; readonly status: number }
  /** Busy, broken, or it does not believe us now; with `Retry-After` where it said so. */
  | { readonly kind: 'later'; readonly status: number; readonly retryAfterSeconds: number | null };

/** Hands notices to push services. */
export interface PushTransport {
  /** What a page subscribes with; base64url. */
  readonly publicKey: string;
  /** Whether a browser's address is one of a push service that we know. */
  knows(endpoint: string): boolean;
  /**
   * Encrypts a text for one subscription and hands it over.
   * @param topic 32 characters of base64url at most; a later notice of the topic takes this one's place
   * @throws Error with the `code` of what went wrong on the way: try again later
   */
  send(
    target: PushTarget,
    notice: { readonly text: string; readonly topic: string; readonly ttlSeconds: number },
    signal?: AbortSignal,
  ): Promise<PushOutcome>;
}

/** The services of the browsers of today. */
const PUSH_SERVICES = [
  'fcm.googleapis.com',
  '*.push.services.mozilla.com',
  '*.push.apple.com',
  '*.notify.windows.com',
] as const;

/** A try takes no longer than this, whatever the service does. */
const MAX_SEND_MS = 15_000;
const GONE = [404, 410];
/** Of the 4xx those that say "not now", or that our signature was not taken: its time passes, a clock is put right. */
const LATER = [401, 403, 408, 425, 429];

/**
 * Opens the way to push services. Every notice is signed for its service (VAPID, RFC 8292) and encrypted for its browser
 * (RFC 8291, aes128gcm), so that the service learns when and to which device, not what.
 * @param contact `mailto:` or `https:`; whom a push service asks when something is wrong with us
 */
export function openPushTransport(options: {
  readonly keys: { readonly publicKey: string; readonly privateKey: string };
  readonly contact: string;
  /** Host names of further push services. */
  readonly hosts?: readonly string[] | undefined;
  readonly testOrigin?: URL | undefined;
  readonly maxSendMs?: number;
}): PushTransport {
  const { keys, contact, hosts = [], testOrigin, maxSendMs = MAX_SEND_MS } = options;
  const guard: PostGuard = { hosts: [...PUSH_SERVICES, ...hosts], testOrigin };
  const vapidDetails = { subject: contact, ...keys };

  return {
    publicKey: keys.publicKey,
    knows: (endpoint) => mayPostTo(guard, endpoint),
    async send({ endpoint, p256dh, auth }, { text, topic, ttlSeconds }, signal) {
      if (!mayPostTo(guard, endpoint)) return { kind: 'gone' };
      const subscription = {
        endpoint,
        keys: { p256dh: p256dh.toString('base64url'), auth: auth.toString('base64url') },
      };
      const settings = { vapidDetails, TTL: ttlSeconds, topic, urgency: 'normal' as const };
      const { headers, body } = webPush.generateRequestDetails(subscription, text, settings);
      const timeUp = AbortSignal.timeout(maxSendMs);
      const message = { headers: headers as Record<string, string | number>, body: body ?? Buffer.alloc(0) }; // what it sets
      const answer = await guardedPost(guard, endpoint, message, signal ? AbortSignal.any([signal, timeUp]) : timeUp);
      return outcomeOf(answer.status, answer.retryAfterSeconds);
    },
  };
}

/** A new pair for VAPID: P-256, base64url. */
export function newPushKeys(): { readonly publicKey: string; readonly privateKey: string } {
  return webPush.generateVAPIDKeys();
}

function outcomeOf(status: number, retryAfterSeconds: number | null): PushOutcome {
  if (status >= 200 && status < 300) return { kind: 'taken' };
  if (GONE.includes(status)) return { kind: 'gone' };
  if (LATER.includes(status) || status >= 500) return { kind: 'later', status, retryAfterSeconds };
  return { kind: 'refused', status };
}
