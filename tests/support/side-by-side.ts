import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Seconds on two cores of the files that mostly wait for other processes: for leases, retries, and what must not come.
 * Near enough is good enough; whoever is not named here takes little time or needs a core for itself.
 */
const WAITING: Readonly<Record<string, number>> = {
  'faults/stories.test.ts': 180,
  'faults/prove.test.ts': 130,
  'faults/patience.test.ts': 110,
  'reach/push-faults.test.ts': 90,
  'chat/queue-live.test.ts': 75,
  'chat/push.test.ts': 70,
  'reach/answer-push.test.ts': 70,
  'start/start.test.ts': 65,
  'start/environment.test.ts': 65,
  'reach/moody-server.test.ts': 45,
  'start/leaving.test.ts': 40,
  'reach/worker-dies.test.ts': 40,
  'nodes/nodes.test.ts': 40,
  'start/frozen-leader.test.ts': 35,
};
/** The same of those that keep a core busy: browsers, pictures, many requests. */
const WORKING: Readonly<Record<string, number>> = {
  'reports/numbers.test.ts': 90,
  'chat/rendering.test.ts': 75,
  'attachments/hostile-browser.test.ts': 70,
  'chat/roles.test.ts': 65,
  'chat/states.test.ts': 65,
  'attachments/pages.test.ts': 60,
  'dashboard/states.test.ts': 45,
  'reports/look.test.ts': 40,
  'chat/slow-life.test.ts': 40,
  'chat/outbox.test.ts': 40,
  'chat/look.test.ts': 35,
  'dashboard/working-day.test.ts': 35,
  'api/plans.test.ts': 35,
  'attachments/checking.test.ts': 35,
  'reports/report-views.test.ts': 35,
  'dashboard/desk.test.ts': 30,
  'reach/look-plan.test.ts': 28,
  'reports/pages.test.ts': 28,
  'http/registry.test.ts': 27,
  'attachments/slow.test.ts': 26,
  'reach/mail-links.test.ts': 25,
  'live/nodes.test.ts': 24,
  'dashboard-admin/audit-chain.test.ts': 24,
  'chat/torture.test.ts': 24,
  'chat/embed.test.ts': 22,
  'api/delivery.test.ts': 22,
  'chat/slow-line.test.ts': 21,
  'messaging/send-limit.test.ts': 21,
  'chat/live.test.ts': 20,
  'attachments/upload.test.ts': 20,
  'dashboard-admin/look.test.ts': 18,
  'tenancy/matrix.test.ts': 17,
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
