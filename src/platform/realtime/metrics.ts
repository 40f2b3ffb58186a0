import { Gauge, type Registry } from 'prom-client';
import type { Hub } from './hub.ts';
import type { Backplane } from './room.ts';

/** Adds what operations want to see of the live channel: who is there, and whether the line between nodes is alive. */
export function measureHub(registry: Registry, hub: Hub, backplane: Backplane): void {
  const gauges: [name: string, help: string, read: () => number][] = [
    ['live_connections', 'Open sockets and event streams', () => hub.counts.connections],
    ['live_rooms', 'Rooms and logs that somebody on this node hears', () => hub.counts.rooms],
    ['live_found_by_sweep_total', 'Logs that moved without a hint, found by the sweep', () => hub.counts.foundBySweep],
    [
      'backplane_silent_seconds',
      'Since the last proof of life of the line between nodes',
      () => backplane.silentForMs() / 1_000,
    ],
  ];
  for (const [name, help, read] of gauges) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  }
}
