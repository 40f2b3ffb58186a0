import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mail, type MailTransport, openMailTransport, UnsafeMail } from '../../src/platform/outbound/index.ts';
import { type MailServer, startMailServer } from './mail-server.ts';

let smtp: MailServer;
let transport: MailTransport;

beforeAll(async () => {
  smtp = await startMailServer();
  transport = openMailTransport({
    smtpUrl: `${smtp.url}?from=help@support.example.com`,
    ownHost: 'support.example.com',
  });
});
afterAll(() => smtp.down());

const BREAKS = [
  '\r\n',
  '\n',
  '\r',
  '\u0000',
  '\u000b',
  '\u000c',
  '\u0085',
  '\u2028',
  '\u2029',
  '\n\n',
  '\r\n\r\n',
  '\r\n ',
];
const INJECTED = [
  'Bcc: canary@evil.example',
  'To: canary@evil.example',
  'X-Canary: 1',
  'Content-Type: text/html',
  '.\r\nMAIL FROM:<canary@evil.example>',
  'Reply-To: canary@evil.example',
];
/** Looks like an injection to a careless reader, and is a text like any other. */
const HARMLESS = ['a%0d%0aBcc: x', '<b>&"\'</b>', 'হ্যালো 🙂', 'a, b <c@d.e>', '\\r\\nBcc: x'];

function mail(change: Partial<Mail> = {}): Mail {
  return {
    id: randomUUID(),
    fromName: 'SafeGo',
    to: { address: 'rahim@people.example' },
    subject: 'You have an answer',
    text: 'Hello',
    html: '<p>Hello</p>',
    language: 'en',
    ...change,
  };
}

describe('the headers of a mail (T-RN10)', () => {
  it('are what we made them, for 500 texts that try to be headers', async () => {
    const strings = Array.from({ length: 500 }, (_, at) => {
      const brake = BREAKS[at % BREAKS.length];
      const injected = INJECTED[at % INJECTED.length];
      return `${'x'.repeat(at % 90)}${brake}${injected}${at % 2 ? brake : ''}`;
    });
    // a control: without a break the same words go through, as a subject
    await transport.send(mail({ subject: `x ${INJECTED[0]}` }));
    expect(smtp.taken.at(-1)?.parsed.subject).toBe('x Bcc: canary@evil.example');
    const before = smtp.tries;
    for (const text of strings) {
      await expect(transport.send(mail({ subject: text }))).rejects.toThrow(UnsafeMail);
      await expect(transport.send(mail({ fromName: text }))).rejects.toThrow(UnsafeMail);
      await expect(transport.send(mail({ to: { address: 'a@b.example', name: text } }))).rejects.toThrow(UnsafeMail);
      await expect(transport.send(mail({ to: { address: `a@b.example${text}` } }))).rejects.toThrow(UnsafeMail);
    }
    // readers decode these, and nodemailer passes them on
    const encoded = '=?utf-8?q?=0D=0ABcc:_canary@evil.example?=';
    await expect(transport.send(mail({ subject: encoded }))).rejects.toThrow(UnsafeMail);
    await expect(transport.send(mail({ fromName: encoded }))).rejects.toThrow(UnsafeMail);
    expect(smtp.tries).toBe(before);
  });

  it('hold every other text as it is, and have no more and no fewer names than they should', async () => {
    for (const text of HARMLESS) {
      await transport.send(
        mail({ subject: text, fromName: text, to: { address: 'rahim@people.example', name: text } }),
      );
      const taken = smtp.taken.at(-1);
      expect(taken?.parsed.subject).toBe(text);
      expect(taken?.parsed.from).toMatchObject({ name: text, address: 'help@support.example.com' });
      expect(taken?.parsed.to).toMatchObject([{ name: text, address: 'rahim@people.example' }]);
      expect(taken?.to).toEqual(['rahim@people.example']);
      expect(taken?.parsed.headers.map((header) => header.key).sort()).toEqual([
        'auto-submitted',
        'content-language',
        'content-type',
        'date',
        'from',
        'message-id',
        'mime-version',
        'subject',
        'to',
        'x-auto-response-suppress',
      ]);
    }
  });

  it.each([
    'a@b.example, c@evil.example',
    'a@b.example>\u0020RCPT',
    '"a b"@c.example',
    'a@@b.example',
    'a b@c.example',
    '@evil.example:a@b.example',
    'a@b.example(comment)',
    'Name <a@b.example>',
    'a',
    '',
  ])('%j is no address', async (address) => {
    await expect(transport.send(mail({ to: { address } }))).rejects.toThrow(UnsafeMail);
  });
});
