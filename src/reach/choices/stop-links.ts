import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** Whom a link to stop mails is about. */
export interface StopTicket {
  readonly tenantId: string;
  readonly userId: string;
}

/** Makes and reads the links in mails that stop them, without signing anybody in. */
export interface StopLinks {
  /** The last part of the path; always the same for one person. */
  token(ticket: StopTicket): string;
  /** Whom it is about; null when a byte of it was changed. */
  read(token: string): StopTicket | null;
}

/** Tenant and user 16 bytes each, HMAC-SHA-256 32. */
const SIGNED_BYTES = 32;
const BYTES = 64;
const TEXT = /^[A-Za-z0-9_-]{86}$/;

/** Signs with a key derived from SECRET_KEY for this purpose alone. Nothing is stored: a link works as long as the key. */
export function createStopLinks(secretKey: Buffer): StopLinks {
  const key = Buffer.from(hkdfSync('sha256', secretKey, '', 'safego-support stop links v1', 32));
  const mac = (bytes: Buffer) => createHmac('sha256', key).update(bytes).digest();
  return {
    token({ tenantId, userId }) {
      const ids = Buffer.from((tenantId + userId).replaceAll('-', ''), 'hex');
      return Buffer.concat([ids, mac(ids)]).toString('base64url');
    },
    read(token) {
      const bytes = TEXT.test(token) ? Buffer.from(token, 'base64url') : Buffer.alloc(0);
      if (bytes.length !== BYTES || bytes.toString('base64url') !== token) return null;
      if (!timingSafeEqual(mac(bytes.subarray(0, SIGNED_BYTES)), bytes.subarray(SIGNED_BYTES))) return null;
      return { tenantId: uuid(bytes, 0), userId: uuid(bytes, 16) };
    },
  };
}

function uuid(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
