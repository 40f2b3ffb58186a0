import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';

/** A mail as the server took it. */
export interface TakenMail {
  /** As it came over the wire. */
  readonly raw: string;
  readonly parsed: Email;
  /** RCPT TO. */
  readonly to: readonly string[];
  readonly messageId: string;
}

/** What the server does with the next mails; `null` takes them. */
export type Mood =
  | null
  /** Answers with this code at the end of DATA. */
  | { readonly refuse: number }
  /** Takes the mail and never says so. */
  | { readonly hang: true }
  /** Answers after so long. */
  | { readonly slowMs: number };

/** A real SMTP server with moods. */
export interface MailServer {
  readonly url: string;
  readonly taken: TakenMail[];
  mood: Mood;
  /** Tries so far: connections that got as far as RCPT TO. */
  readonly tries: number;
  /** Told before anything else is done with a mail; awaited. */
  onMail: ((stage: 'rcpt' | 'data' | 'answered', to: string) => void) | null;
  /** Closes the port, as a server that is down; `up` opens the same one. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Mails to an address. */
  to(address: string): TakenMail[];
}

export async function startMailServer(): Promise<MailServer> {
  const taken: TakenMail[] = [];
  let port = 0;
  let smtp: SMTPServer;
  const server = {
    url: '',
    taken,
    mood: null as Mood,
    tries: 0,
    onMail: null as MailServer['onMail'],
    async down() {
      await new Promise<void>((done) => smtp.close(() => done()));
    },
    up,
    to: (address: string) => taken.filter((mail) => mail.to.includes(address)),
  };

  async function up(): Promise<void> {
    smtp = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      closeTimeout: 100,
      onRcptTo(address, _session, done) {
        server.tries += 1;
        server.onMail?.('rcpt', address.address);
        done();
      },
      onData(stream, session, done) {
        void (async () => {
          const chunks: Buffer[] = [];
          for await (const chunk of stream) chunks.push(chunk as Buffer);
          const raw = Buffer.concat(chunks).toString('utf8');
          const to = session.envelope.rcptTo.map((one) => one.address);
          const { mood } = server;
          if (mood && 'refuse' in mood) {
            done(Object.assign(new Error('not now'), { responseCode: mood.refuse }));
            return;
          }
          if (mood && 'slowMs' in mood) await new Promise((later) => setTimeout(later, mood.slowMs));
          const parsed = await PostalMime.parse(raw);
          taken.push({ raw, parsed, to, messageId: parsed.messageId ?? '' });
          server.onMail?.('data', to[0] ?? '');
          if (mood && 'hang' in mood) return;
          done();
          server.onMail?.('answered', to[0] ?? '');
        })().catch(done);
      },
    });
    smtp.on('error', () => {});
    const listening = smtp.listen(port, '127.0.0.1');
    await once(listening, 'listening');
    port = (listening.address() as AddressInfo).port; // It listens on TCP.
    server.url = `smtp://127.0.0.1:${port}`;
  }

  await up();
  return server;
}
