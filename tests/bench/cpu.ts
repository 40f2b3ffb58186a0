import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc (Linux: 100 on every platform that Node runs on). */
const TICKS = 100;

/** CPU seconds used so far by a process and all its descendants; 0 where there is no /proc. */
export function cpuSeconds(pid: number): number {
  const stats = readdirStats();
  const tree = [pid];
  let seconds = 0;
  for (let next = tree.pop(); next !== undefined; next = tree.pop()) {
    seconds += stats.get(next)?.seconds ?? 0;
    for (const [child, { parent }] of stats) if (parent === next) tree.push(child);
  }
  return seconds;
}

/** The parent of a process; 0 where there is no /proc. */
export function parentOf(pid: number): number {
  return readdirStats().get(pid)?.parent ?? 0;
}

function readdirStats(): Map<number, { parent: number; seconds: number }> {
  const stats = new Map<number, { parent: number; seconds: number }>();
  for (const name of listProc()) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The name in parentheses may hold anything; the numbers follow it (proc(5)).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      stats.set(Number(name), {
        parent: Number(fields[1]),
        seconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
      });
    } catch {
      // It ended meanwhile.
    }
  }
  return stats;
}

function listProc(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}
