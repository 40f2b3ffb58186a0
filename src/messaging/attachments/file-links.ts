import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** How a file is handed out: shown (safe pictures only), as a small picture, or to be saved. */
export const FILE_FORMS = ['view', 'thumbnail', 'download'] as const;
export type FileForm = (typeof FILE_FORMS)[number];

/** Which file, from which room, in which form. */
export interface FileTicket {
  readonly tenantId: string;
  /** Null: of a file that waits for its conversation to begin. */
  readonly conversationId: string | null;
  readonly attachmentId: string;
  readonly form: FileForm;
}

/** Makes and reads the addresses of files. An address is good for five minutes at most, for one file in one form. */
export interface FileLinks {
  /** A path of ours, or an address on FILES_URL. The same within a minute, so that a page shows each picture once. */
  url(ticket: FileTicket): string;
  /** What an address stands for; null when a byte of it was changed or its time is over. */
  read(text: string): FileTicket | null;
}

const VERSION = 1;
const NO_ID = '00000000-0000-0000-0000-000000000000';
const STEP_SECONDS = 60;
const LONGEST_SECONDS = 300;
/** version 1, form 1, end 5, tenant, conversation and file 16 each, HMAC-SHA-256 32: a multiple of three, so that base64url has no spare bits. */
const SIGNED_BYTES = 55;
const BYTES = 87;
const TEXT = /^[A-Za-z0-9_-]{116}$/;

/** Signs with a key derived from SECRET_KEY for this purpose alone. `clock` gives milliseconds since 1970. */
export function createFileLinks(options: {
  readonly secretKey: Buffer;
  readonly filesUrl?: URL | undefined;
  readonly clock: () => number;
}): FileLinks {
  const { clock, filesUrl } = options;
  const key = Buffer.from(hkdfSync('sha256', options.secretKey, '', 'safego-support file links v1', 32));
  const mac = (bytes: Buffer) => createHmac('sha256', key).update(bytes).digest();
  const seconds = () => Math.floor(clock() / 1_000);

  return {
    url({ tenantId, conversationId, attachmentId, form }) {
      const bytes = Buffer.alloc(BYTES);
      bytes[0] = VERSION;
      bytes[1] = FILE_FORMS.indexOf(form);
      const step = Math.floor(seconds() / STEP_SECONDS) * STEP_SECONDS;
      bytes.writeUIntBE(step + LONGEST_SECONDS, 2, 5);
      [tenantId, conversationId ?? NO_ID, attachmentId].forEach((id, at) => {
        bytes.write(id.replaceAll('-', ''), 7 + 16 * at, 'hex');
      });
      mac(bytes.subarray(0, SIGNED_BYTES)).copy(bytes, SIGNED_BYTES);
      return `${filesUrl?.origin ?? ''}/files/${bytes.toString('base64url')}`;
    },

    read(text) {
      if (!TEXT.test(text)) return null;
      const bytes = Buffer.from(text, 'base64url');
      if (bytes.length !== BYTES) return null;
      const expected = mac(bytes.subarray(0, SIGNED_BYTES));
      if (!timingSafeEqual(expected, bytes.subarray(SIGNED_BYTES))) return null;
      const form = FILE_FORMS[bytes[1] ?? -1];
      const left = bytes.readUIntBE(2, 5) - seconds();
      if (bytes[0] !== VERSION || !form || left <= 0 || left > LONGEST_SECONDS) return null;
      const conversationId = uuid(bytes, 23);
      return {
        tenantId: uuid(bytes, 7),
        conversationId: conversationId === NO_ID ? null : conversationId,
        attachmentId: uuid(bytes, 39),
        form,
      };
    },
  };
}

function uuid(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
