/** The worker of a node as a process of its own, for kill -9: looks for unread answers and tells of them, in a hurry. */
import { openAppViews } from '../../src/app.ts';
import { entities } from '../../src/entities.ts';
import { createSignInLinks } from '../../src/identity/index.ts';
import { openDatabase } from '../../src/platform/database/index.ts';
import { openDurableQueue } from '../../src/platform/jobs/index.ts';
import { openMailTransport, openPushTransport } from '../../src/platform/outbound/index.ts';
import {
  answerMailEffect,
  answerMailJobs,
  answerPushEffect,
  answerPushJobs,
  createStopLinks,
  keepPushKeys,
} from '../../src/reach/index.ts';
import { openTenancy } from '../../src/tenancy/index.ts';
import { TEST_SECRET_KEY } from '../support/people.ts';
import { HURRY } from './hurry.ts';

const say = (level: string) => (about: object, what?: string) =>
  process.stderr.write(`${level} ${what ?? ''} ${JSON.stringify(about)}\n`);
const log = { info() {}, debug() {}, warn: say('warn'), error: say('error') };
const [url = '', smtpUrl = '', sendMs = '3000', pushOrigin = 'http://127.0.0.1:1'] = process.argv.slice(2);

const database = await openDatabase({ url, entities, log });
const tenancy = await openTenancy({ database, log });
const views = await openAppViews({ compress: false });
const mail = openMailTransport({ smtpUrl, ownHost: 'support.example.com', maxSendMs: Number(sendMs) });
const keys = await keepPushKeys(database, TEST_SECRET_KEY, log);
const push = openPushTransport({
  keys,
  contact: 'https://support.example.com',
  testOrigin: new URL(pushOrigin),
  maxSendMs: Number(sendMs),
});
const common = { tenancy, views, log };
const mailReach = {
  ...common,
  mail,
  publicUrl: new URL('https://support.example.com'),
  signInLinks: createSignInLinks({ database, secretKey: TEST_SECRET_KEY }),
  stopLinks: createStopLinks(TEST_SECRET_KEY),
};
const mailEffect = answerMailEffect(mailReach);
const pushEffect = answerPushEffect({ ...common, push, hasOpen: async () => false });
const queue = await openDurableQueue({ database, log, effects: [mailEffect, pushEffect], timing: HURRY });
const looks = [...answerMailJobs(mailReach, queue, mailEffect), ...answerPushJobs(queue, pushEffect)];
let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});
process.stdout.write('ready\n');
while (!stopping) {
  for (const look of looks) await look.run({ database, log, now: new Date() });
  await new Promise((done) => setTimeout(done, 200));
}
await queue.close();
await tenancy.close();
await database.close();
process.stdout.write('left\n');
process.exit(0);
