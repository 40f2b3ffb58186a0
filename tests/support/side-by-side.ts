import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Seconds that a file takes on two quiet cores, and how much of one core it needs meanwhile, with the processes that it
 * starts: 0.2 waits for leases, retries and what must not come, 1.5 keeps nodes or a browser busy. Near enough is good
 * enough; whoever is not named here takes little time.
 */
const MEASURED: Readonly<Record<string, readonly [seconds: number, cores: number]>> = {
  'faults/stories.test.ts': [150, 1],
  'faults/prove.test.ts': [100, 1.4],
  'faults/patience.test.ts': [90, 0.9],
  'attachments/pages.test.ts': [60, 0.7],
  'start/start.test.ts': [44, 1],
  'attachments/hostile-browser.test.ts': [42, 1.3],
  'chat/queue-live.test.ts': [42, 0.4],
  'reach/push-faults.test.ts': [40, 0.8],
  'chat/rendering.test.ts': [39, 1],
  'start/environment.test.ts': [37, 1],
  'reports/numbers.test.ts': [35, 0.9],
  'start/frozen-leader.test.ts': [35, 0.2],
  'dashboard/working-day.test.ts': [34, 0.3],
  'nodes/nodes.test.ts': [33, 0.5],
  'chat/states.test.ts': [30, 1.1],
  'reports/report-views.test.ts': [30, 0.9],
  'start/leaving.test.ts': [29, 0.5],
  'attachments/checking.test.ts': [28, 0.9],
  'reach/answer-push.test.ts': [28, 0.3],
  'dashboard/states.test.ts': [26, 0.7],
  'chat/roles.test.ts': [26, 0.9],
  'chat/slow-life.test.ts': [24, 0.4],
  'chat/outbox.test.ts': [22, 0.7],
  'api/plans.test.ts': [22, 0.9],
  'attachments/slow.test.ts': [21, 0.2],
  'reach/mail-links.test.ts': [21, 0.1],
  'reach/moody-server.test.ts': [20, 0.6],
  'chat/embed.test.ts': [19, 0.7],
  'chat/live.test.ts': [18, 0.5],
  'chat/look.test.ts': [18, 0.9],
  'chat/slow-line.test.ts': [18, 0.3],
  'reach/worker-dies.test.ts': [18, 0.6],
  'chat/push.test.ts': [16, 0.6],
  'dashboard/desk.test.ts': [16, 0.8],
  'live/nodes.test.ts': [16, 0.4],
  'chat/screen-reader.test.ts': [15, 0.5],
  'messaging/send-limit.test.ts': [15, 0.1],
  'reports/look.test.ts': [14, 1],
  'tenancy/matrix.test.ts': [14, 1],
  'chat/torture.test.ts': [13, 0.7],
  'reach/answer-mail.test.ts': [13, 0.1],
  'desk/due-plan.test.ts': [12, 0.9],
  'reach/look-plan.test.ts': [11, 0.9],
  'reports/pages.test.ts': [10, 0.8],
  'attachments/intake.test.ts': [10, 0.6],
  'http/registry.test.ts': [10, 1],
  'api/delivery.test.ts': [10, 0.6],
  'desk/settings-in-traffic.test.ts': [10, 0.8],
  'reports/model.test.ts': [9, 0.9],
  'reach/queue.test.ts': [9, 0.3],
  'dashboard/no-jump.test.ts': [9, 0.6],
  'chat/offline.test.ts': [9, 0.5],
  'dashboard/due.test.ts': [9, 0.7],
  'chat/no-script.test.ts': [9, 0.8],
  'chat/weight.test.ts': [9, 0.8],
};
const OTHERWISE: readonly [seconds: number, cores: number] = [3, 0.7];
/** What is asked of a machine at once. */
const CORES = 2;

/**
 * Longest first, and beside it only what two cores can do as well: what waits goes beside what works. A file that takes
 * minutes and begins last would keep everybody waiting for it.
 */
export class SideBySide extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const left = (await super.sort(files))
      .map((file) => {
        const [seconds, cores] = MEASURED[file.moduleId.split('/tests/').at(-1) ?? ''] ?? OTHERWISE;
        return { file, seconds, cores };
      })
      .sort((one, other) => other.seconds - one.seconds);
    const order: TestSpecification[] = [];
    /** What would run at the moment, if all took as long as it was measured. */
    let running: { readonly until: number; readonly cores: number }[] = [];
    let now = 0;
    while (left.length > 0) {
      if (running.length >= this.ctx.config.maxWorkers) {
        now = Math.min(...running.map(({ until }) => until));
        running = running.filter(({ until }) => until > now);
      }
      const busy = running.reduce((sum, { cores }) => sum + cores, 0);
      const fits = left.findIndex(({ cores }) => busy + cores <= CORES);
      const least = left.reduce((best, { cores }, at) => (cores < (left[best]?.cores ?? 0) ? at : best), 0);
      const [next] = left.splice(fits >= 0 ? fits : least, 1);
      if (!next) break;
      running.push({ until: now + next.seconds, cores: next.cores });
      order.push(next.file);
    }
    return order;
  }
}
