import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** Seals what must be used again but never lie open: AES-256-GCM, bound to what it belongs to. */
export interface Sealer {
  /** `belongsTo` must be given again to open; a sealed value moved to another row does not open. */
  seal(plain: string, belongsTo: string): Buffer;
  /** Throws when the key or `belongsTo` is another one, or a bit was changed. */
  open(sealed: Uint8Array, belongsTo: string): string;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A sealer whose key is derived from SECRET_KEY (HKDF-SHA-256) for this purpose alone. */
export function createSealer(secretKey: Buffer): Sealer {
  const key = Buffer.from(hkdfSync('sha256', secretKey, '', 'safego-support host keys v1', 32));
  return {
    seal(plain, belongsTo) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(belongsTo));
      const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
    },
    open(sealed, belongsTo) {
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(belongsTo))
        .setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
    },
  };
}
