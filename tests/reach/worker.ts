/** The worker of a node as a process of its own, for kill -9: looks for unread answers and mails them, in a hurry. */
import { openAppViews } from '../../src/app.ts';
import { entities } from '../../src/entities.ts';
import { openDatabase } from '../../src/platform/database/index.ts';
import { openDurableQueue } from '../../src/platform/jobs/index.ts';
import { openMailTransport } from '../../src/platform/outbound/index.ts';
import { answerMailEffect, type Reach, reachJobs } from '../../src/reach/index.ts';
import { openTenancy } from '../../src/tenancy/index.ts';
import { HURRY } from './hurry.ts';

const say = (level: string) => (about: object, what?: string) =>
  process.stderr.write(`${level} ${what ?? ''} ${JSON.stringify(about)}\n`);
const log = { info() {}, debug() {}, warn: say('warn'), error: say('error') };
const [url = '', smtpUrl = '', sendMs = '3000'] = process.argv.slice(2);

const database = await openDatabase({ url, entities, log });
const tenancy = await openTenancy({ database, log });
const views = await openAppViews({ compress: false });
const mail = openMailTransport({ smtpUrl, ownHost: 'support.example.com', maxSendMs: Number(sendMs) });
const reach: Reach = { mail, tenancy, views, publicUrl: new URL('https://support.example.com'), log };
const effect = answerMailEffect(reach);
const queue = await openDurableQueue({ database, log, effects: [effect], timing: HURRY });
const [look] = reachJobs(reach, queue, effect);
let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});
process.stdout.write('ready\n');
while (!stopping) {
  await look?.run({ database, log, now: new Date() });
  await new Promise((done) => setTimeout(done, 200));
}
await queue.close();
await tenancy.close();
await database.close();
process.stdout.write('left\n');
process.exit(0);
