import { z } from 'zod';
import { StartError } from '../config/index.ts';

/** What a header cannot hold without becoming two: controls, and what some readers take for a line break. */
const HEADER_BREAKS = /[\p{Cc}\u2028\u2029]/u;
/** An encoded word (RFC 2047): passed on as it is, readers would decode it, line breaks and all. */
const ENCODED_WORD = '=?';
/** Changes the direction or hides what is there; a name that reads like another one. */
const DISGUISES = /[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u;

const HeaderText = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => !HEADER_BREAKS.test(text) && !text.includes(ENCODED_WORD) && text.isWellFormed(), 'header_break');
const MailName = HeaderText.refine((text) => !DISGUISES.test(text), 'disguise');
/** One plain mailbox: no lists, no comments, no quotes, no routes. */
const Mailbox = z
  .string()
  .max(254)
  .regex(/^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'address');

const MailSchema = z.strictObject({
  /** Stable, e.g. the event id: the Message-ID is made from it. */
  id: z.uuid(),
  fromName: MailName,
  to: z.strictObject({ name: MailName.optional(), address: Mailbox }),
  subject: HeaderText,
  text: z.string().max(100_000),
  /** Escaped and cleaned already. */
  html: z.string().max(300_000),
  /** Stops such mails, by a POST too (RFC 8058). */
  unsubscribeUrl: z
    .url({ protocol: /^https?$/ })
    .max(500)
    .optional(),
  /** BCP 47. */
  language: z.string().regex(/^[a-z]{2}$/),
});

/** A mail that must not be sent as it is; `fields` says where. Trying again does not help. */
export class UnsafeMail extends Error {
  readonly fields: readonly string[];

  constructor(fields: readonly string[]) {
    super(`unsafe mail: ${fields.join()}`);
    this.name = 'UnsafeMail';
    this.fields = fields;
  }
}

/** One mail to one person. */
export type Mail = z.input<typeof MailSchema>;

/** Hands mails to a mail server. */
export interface MailTransport {
  /**
   * Resolves when the server has taken the mail; the same `id` twice is the same Message-ID.
   * @throws UnsafeMail when a name, subject or address could forge a header: nothing is sent, and never will be
   * @throws Error with the transport's `code` when the server refused, did not answer in time or is not there
   */
  send(mail: Mail, signal?: AbortSignal): Promise<void>;
}

/** A try takes no longer than this, whatever the server does. */
const MAX_SEND_MS = 45_000;
const CONNECT_MS = 10_000;
const SILENCE_MS = 20_000;

/**
 * Opens the transport to `SMTP_URL` (`smtp://user:password@host:port`, `smtps://…`; `?from=` is the sender's address,
 * otherwise a user that is an address, otherwise `no-reply@` our own host). Nothing is connected before the first mail.
 * @param ownHost host name of PUBLIC_URL, for Message-IDs and the sender
 */
export function openMailTransport({
  smtpUrl,
  ownHost,
  maxSendMs = MAX_SEND_MS,
}: {
  readonly smtpUrl: string;
  readonly ownHost: string;
  readonly maxSendMs?: number;
}): MailTransport {
  const url = new URL(smtpUrl);
  const domain = ownHost.includes('.') ? ownHost : 'safego-support.invalid';
  const user = decodeURIComponent(url.username);
  const from = url.searchParams.get('from') ?? (user.includes('@') ? user : `no-reply@${domain}`);
  if (!Mailbox.safeParse(from).success) throw new StartError('SMTP_URL must name the sender: ?from=name@host');
  url.searchParams.delete('from');

  async function send(mail: Mail, signal?: AbortSignal): Promise<void> {
    const parsed = MailSchema.safeParse(mail);
    if (!parsed.success) throw new UnsafeMail(parsed.error.issues.map((issue) => issue.path.join('.')));
    const { id, fromName, to, subject, text, html, language, unsubscribeUrl } = parsed.data;
    // with the first mail: 6 MB that many a node never needs
    const { createTransport } = await import('nodemailer');
    // one connection a mail: there are few, and a dead pool cannot hold one up
    const transport = createTransport({
      url: url.href,
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    const timeUp = AbortSignal.timeout(maxSendMs);
    const ended = signal ? AbortSignal.any([signal, timeUp]) : timeUp;
    try {
      await Promise.race([
        transport.sendMail({
          messageId: `<${id}@${domain}>`,
          from: { name: fromName, address: from },
          to: { name: to.name ?? '', address: to.address },
          subject,
          text,
          html,
          headers: {
            'Content-Language': language,
            'Auto-Submitted': 'auto-generated',
            'X-Auto-Response-Suppress': 'All',
            ...(unsubscribeUrl && {
              'List-Unsubscribe': `<${unsubscribeUrl}>`,
              'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
            }),
          },
        }),
        aborted(ended),
      ]);
    } finally {
      transport.close();
    }
  }

  return { send };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const give = () => reject(Object.assign(new Error('the mail server took too long'), { code: 'ETIMEDOUT' }));
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
}
