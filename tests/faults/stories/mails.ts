import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startMailServer } from '../../reach/mail-server.ts';
import { COMPILED } from '../../support/compiled.ts';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import { type LabConversation, textOf } from '../lab/lab.ts';
import { inLab, type Story, until } from './story.ts';

/** Where the worker is killed on the way of a mail. */
const PLACES = ['before-send', 'while-sending', 'answer-lost', 'before-mark', 'any-moment'] as const;
type Place = (typeof PLACES)[number];
/** A mail goes out again only where it may have been taken without the worker having heard so. */
const MAY_GO_TWICE: readonly Place[] = ['answer-lost', 'before-mark', 'any-moment'];

/**
 * D8: an answer that nobody has read becomes a mail, through the outbox: the mail is owed in the transaction that finds
 * it. The worker is killed (kill -9) after that commit and before it sends, while it sends, after the server took the
 * mail and before its answer, between the answer and the mark, and at any moment. Each mail arrives; once, unless the
 * SMTP answer was lost, and then under the same Message-ID.
 */
export const mails: Story = (options) =>
  // a defect is the worker's, not the node's
  inLab({ ...options, defects: [] }, {}, async (lab) => {
    const { random } = lab;
    const smtp = await startMailServer();
    const workers = new Set<ChildProcess>();
    try {
      const tenant = await lab.newTenant();
      const agent = await lab.signIn(tenant, 'agent');
      const databaseUrl = new URL(lab.url);
      const rounds = options.rounds ?? PLACES.length;
      const anomalies: Anomaly[] = [];
      const counts: Record<string, number> = {};
      const seen = new Map<string, number>();
      let twice = 0;
      let worker = await startWorker();
      for (let round = 0; round < rounds; round++) {
        const place = PLACES[round % PLACES.length] ?? 'any-moment';
        const struck = Promise.withResolvers<void>();
        const strike = () => {
          worker.kill('SIGKILL');
          struck.resolve();
        };
        smtp.onMail = (stage) => {
          if (place === 'while-sending' && stage === 'rcpt') strike();
          if (place === 'answer-lost' && stage === 'data') strike();
          if (place === 'before-mark' && stage === 'answered') strike();
        };
        // the server takes it and says nothing, so that the worker cannot have heard
        smtp.mood = place === 'answer-lost' ? { hang: true } : null;
        const [conversation] = await lab.converse(tenant, 1);
        if (!conversation) throw new Error('no conversation');
        await answerUnread(conversation);
        if (place === 'before-send')
          await until('a mail is owed', async () => (await owed(conversation)) !== undefined).then(strike);
        if (place === 'any-moment') setTimeout(strike, random.between(50, 1_500));
        await Promise.race([struck.promise, sleep(20_000)]);
        smtp.onMail = null;
        smtp.mood = null;
        counts[place] = (counts[place] ?? 0) + 1;
        worker = await startWorker();
        const settled = async () => {
          const state = (await owed(conversation))?.state;
          return state !== undefined && state !== 'owed';
        };
        await until('the mail is settled', settled, 30_000).catch(() => {});
        await check(conversation, place, round);
      }
      // what comes late: every queue has had its turn
      await sleep(options.isLong ? 6_000 : 2_500);
      return {
        anomalies: [...anomalies, ...late()],
        rounds,
        facts: { ...counts, mails: smtp.taken.length, twiceAfterALostAnswer: twice },
      };

      async function check(conversation: LabConversation, place: Place, round: number): Promise<void> {
        const mail = await owed(conversation);
        const taken = smtp.to(addressOf(conversation));
        const what = `round ${round}, killed ${place}: ${taken.length} mails (${mail?.state ?? 'none owed'})`;
        if (taken.length === 0 || mail?.state !== 'sent') anomalies.push({ kind: 'lost', what });
        if (taken.length > (MAY_GO_TWICE.includes(place) ? 2 : 1)) anomalies.push({ kind: 'duplicate', what });
        if (taken.length === 2) twice += 1;
        if (taken.some(({ messageId }) => messageId !== `<${mail?.id}@support.example.com>`)) {
          anomalies.push({ kind: 'duplicate', what: `${what} under other ids` });
        }
        seen.set(addressOf(conversation), taken.length);
      }

      function late(): Anomaly[] {
        return [...seen]
          .filter(([address, count]) => smtp.to(address).length !== count)
          .map(([address]) => ({ kind: 'duplicate', what: `${address} was written to again after it was settled` }));
      }

      async function startWorker(): Promise<ChildProcess> {
        const file = fileURLToPath(new URL('../../reach/worker.ts', import.meta.url));
        const imports = (options.defects ?? []).flatMap((name) => [
          '--import',
          new URL(`../defects/${name}.ts`, import.meta.url).href,
        ]);
        const child = spawn(process.execPath, [...imports, file, databaseUrl.href, smtp.url, '3000'], {
          env: { ...process.env, NODE_COMPILE_CACHE: COMPILED },
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        workers.add(child);
        child.once('exit', () => workers.delete(child));
        await once(child.stdout, 'data');
        return child;
      }

      /** The agent answers, and the user has not been there for a while. */
      async function answerUnread({ id, user }: LabConversation): Promise<void> {
        for (const [who, path, body] of [
          [user, `/api/support/conversations/${id}/messages`, textOf(user, 1)],
          [agent, `/api/support/conversations/${id}/messages`, textOf(agent, 2)],
        ] as const) {
          const answer = await http({
            port: lab.seats[0]?.node?.port ?? 0,
            method: 'POST',
            path,
            token: who.token,
            body: { body, clientId: randomUUID() },
          });
          if (answer.status !== 201) throw new Error(`${path}: ${answer.status}`);
        }
        await lab.admin.query(`update users set email = $2 where id = $1`, [user.id, `${id}@mail.example`]);
        await lab.admin.query(
          `update conversations set last_message_at = clock_timestamp() - interval '15 minutes' + interval '500 ms' where id = $1`,
          [id],
        );
      }

      async function owed({ id }: LabConversation): Promise<{ id: string; state: string } | undefined> {
        const { rows } = await lab.admin.query<{ id: string; state: string }>(
          'select id, state from answer_mails where conversation_id = $1',
          [id],
        );
        if (rows.length > 1)
          anomalies.push({ kind: 'duplicate', what: `${rows.length} mails are owed for one conversation` });
        return rows[0];
      }
    } finally {
      for (const child of workers) child.kill('SIGKILL');
      await smtp.down();
    }
  });

const addressOf = ({ id }: LabConversation) => `${id}@mail.example`;
