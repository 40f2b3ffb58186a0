/** A replay that says "nothing lost" is worth something only if it would have said otherwise. */
import { describe, expect, it } from 'vitest';
import { replayDialogues } from '../../src/imports/replay/replay-dialogues.ts';
import { reportLines } from '../../src/imports/replay/replay-report.ts';
import { openRestClient } from '../../src/imports/replay/rest-client.ts';
import { type Lie, startLiar } from './liar.ts';

const dialogues = [1, 2, 3, 4].map((number) => ({
  id: `d${number}`,
  services: [],
  turns: [
    { from: 'user' as const, text: 'My driver went the wrong way\r\nand charged me for it' },
    { from: 'agent' as const, text: 'Which trip was it?' },
    { from: 'user' as const, text: 'গতকাল সন্ধ্যার ট্রিপ' },
    { from: 'agent' as const, text: 'Found it.' },
    { from: 'agent' as const, text: 'The fare is corrected.' },
    { from: 'user' as const, text: '  Thanks!  ' },
  ],
}));

async function replay(lie: Lie) {
  const liar = await startLiar(lie);
  const rest = openRestClient(liar.base, 8);
  try {
    return await replayDialogues({
      dialogues,
      entrance: { base: liar.base, rest, vouch: async ({ userType }) => (userType === 'admin' ? 'admin' : 'user') },
      concurrency: 2,
      userTypes: ['driver', 'customer'],
      agents: [{ userType: 'admin', sub: 'a1', name: 'Agent' }],
      runId: 'test',
      inTenant: liar.inTenant,
      onProgress: () => {},
      patienceMs: 400,
    });
  } finally {
    rest.close();
    await liar.close();
  }
}

describe('a replay', () => {
  it('finds nothing where nothing is wrong, and measures it', async () => {
    const report = await replay('none');
    expect(report.differences).toEqual([]);
    expect(report.messages).toEqual({ sent: 24, acknowledged: 24, delivered: 24, refused: 0 });
    expect(report).toMatchObject({ dialogues: 4, closed: 4, duplicates: 0, gaps: 0, losses: 0, reconnects: 0 });
    expect(report.latencyMs.delivered.p50).toBeGreaterThan(0);
    expect(report.latencyMs.delivered.p99).toBeGreaterThanOrEqual(report.latencyMs.delivered.p95 ?? Number.NaN);
    expect(reportLines(report).join('\n')).toContain('24 sent, 24 acknowledged, 24 delivered live');
  });

  it('waits when it is told to, and loses nothing by it', async () => {
    const report = await replay('busy');
    expect(report.differences).toEqual([]);
    expect(report.rest.waits).toBeGreaterThan(0);
  });

  it.each<[Lie, RegExp]>([
    ['drops a frame', /socket was never shown 3/],
    ['doubles a frame', /socket was shown twice 3/],
    ['acknowledges without storing', /REST: (holds 5 of 6|message 3 differs)/],
    ['changes a byte', /REST: message 3 differs: text[\s\S]*database: message 3 differs: text/],
    ['swaps two', /REST: message 3 differs: text[\s\S]*REST: message 4 differs: text/],
    ['forgets a read mark', /read mark/],
    ['stays open', /REST: is not closed[\s\S]*database: is not closed/],
    ['stores twice', /database: holds 7 of 6 messages/],
  ])('sees a server that %s', async (lie, said) => {
    const report = await replay(lie);
    expect(report.differences.join('\n')).toMatch(said);
  });
});
