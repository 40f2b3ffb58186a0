/**
 * `node tests/attachments/gate-garbage.ts "through the gate"|"past the gate"`: how often V8 looks through the whole heap of a server
 * of some size while two times 200 MB come in.
 */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createIntake } from '../../src/platform/storage/index.ts';

const MEGABYTE = 1024 * 1024;
const BODY_BYTES = 10 * MEGABYTE;
const BODIES = 20;
/** One alone is a matter of luck. */
const ROUNDS = 2;

/** What a server has in its heap anyhow: some 50 MB. */
const kept = Array.from({ length: 300_000 }, (_, n) => ({ n, text: `${n}`, list: [n] }));
let whole = 0;
let counts = false;
const watch = new PerformanceObserver((list) => {
  // Node's own entries of this type have it
  for (const entry of list.getEntries() as (PerformanceEntry & { detail: { kind: number } })[]) {
    if (counts && entry.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) whole += 1;
  }
});
watch.observe({ entryTypes: ['gc'] });

const intake = createIntake({ bytesPerSecond: 400 * MEGABYTE });
const server = createServer(async (body, reply) => {
  const place = await intake.enter({ lane: 'a', owner: 'b' });
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (process.argv[2] === 'through the gate') await place.turn(chunk.length);
    else await sleep(10);
  }
  place.leave();
  reply.end();
}).listen(0);
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const file = Buffer.alloc(BODY_BYTES);
await sleep(100);
counts = true;
for (let round = 0; round < ROUNDS; round += 1) {
  await Promise.all(
    Array.from({ length: BODIES }, async () => {
      const sent = request({ port, method: 'POST', agent: false });
      sent.end(file);
      const [reply] = await once(sent, 'response');
      reply.resume();
    }),
  );
}
await sleep(100);
process.stdout.write(String(kept.length && whole));
process.exit();
