import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Seconds on two cores of the files that mostly wait for other processes: for leases, retries, and what must not come.
 * Near enough is good enough; whoever is not named here takes little time or needs a core for itself.
 */
const WAITING: Readonly<Record<string, number>> = {
  'faults/stories.test.ts': 240,
  'faults/prove.test.ts': 120,
  'reach/push-faults.test.ts': 80,
  'reach/answer-push.test.ts': 60,
  'reach/worker-dies.test.ts': 40,
  'start/start.test.ts': 57,
  'nodes/nodes.test.ts': 35,
  'start/frozen-leader.test.ts': 34,
  'reach/moody-server.test.ts': 30,
  'start/environment.test.ts': 29,
  'start/leaving.test.ts': 23,
};
/** The same of those that keep a core busy: browsers, pictures, many requests. */
const WORKING: Readonly<Record<string, number>> = {
  'attachments/hostile-browser.test.ts': 60,
  'attachments/pages.test.ts': 35,
  'chat/embed.test.ts': 30,
  'dashboard/working-day.test.ts': 30,
  'dashboard/desk.test.ts': 25,
  'chat/look.test.ts': 24,
  'chat/outbox.test.ts': 23,
  'reach/mail-links.test.ts': 22,
  'chat/push.test.ts': 20,
  'dashboard-admin/look.test.ts': 20,
  'chat/live.test.ts': 19,
  'chat/slow-line.test.ts': 19,
  'messaging/send-limit.test.ts': 17,
  'tenancy/matrix.test.ts': 17,
  'dashboard/states.test.ts': 16,
  'api/plans.test.ts': 15,
  'reports/look.test.ts': 14,
};
const OTHERWISE = 4;

/**
 * The longest files first, and one that waits beside those that work: three that draw pages at once would be slow on two
 * cores, and a file that takes minutes and begins last keeps everybody waiting for it.
 */
export class SideBySide extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rest = (await super.sort(files)).map((file) => {
      const name = file.moduleId.split('/tests/').at(-1) ?? '';
      return { file, waits: WAITING[name] ?? 0, works: WORKING[name] ?? (name in WAITING ? 0 : OTHERWISE) };
    });
    const waiting = rest.filter(({ waits }) => waits > 0).sort((a, b) => b.waits - a.waits);
    const working = rest.filter(({ waits }) => waits === 0).sort((a, b) => b.works - a.works);
    const order: TestSpecification[] = [];
    let waited = 0;
    let worked = 0;
    for (;;) {
      const isWaitersTurn = waiting.length > 0 && (working.length === 0 || waited <= worked / 2);
      const next = (isWaitersTurn ? waiting : working).shift();
      if (!next) return order;
      waited += next.waits;
      worked += next.works;
      order.push(next.file);
    }
  }
}
