import type { FaultProxy } from './proxy.ts';

/** The line that carries a node's hints, which may be made to misbehave on its own. */
export interface HintLine {
  /** Connections that were opened for it so far. */
  readonly opened: number;
  /** Swallows everything without a word, on what is open now and, with `alsoNew`, on what comes. */
  swallow(alsoNew?: boolean): void;
  /** Everything arrives so much later. */
  delay(ms: number): void;
  /** Resets what is open. */
  reset(): void;
  heal(): void;
}

/** Over Redis every connection of the proxy is the line. */
export function lineOverRedis(bus: FaultProxy): HintLine {
  return {
    get opened() {
      return bus.taken;
    },
    swallow(alsoNew = false) {
      if (alsoNew) {
        bus.door = 'ignore';
        bus.blackHole();
      } else for (const direction of ['up', 'down'] as const) bus.poison(direction, { isBlackHole: true }, () => true);
    },
    delay(ms) {
      for (const direction of ['up', 'down'] as const) bus.poison(direction, { latencyMs: ms / 2 });
    },
    reset: () => void bus.reset(),
    heal() {
      bus.reset();
      bus.heal();
    },
  };
}

/** Over PostgreSQL it is the connection that asked to listen; the others stay as they are. */
export function lineOverPostgres(back: FaultProxy): HintLine {
  const links = new Set<number>();
  let later: 'pass' | 'swallow' | number = 'pass';
  back.watch((direction, chunk, link) => {
    if (direction === 'up' && !links.has(link) && chunk.includes('listen safego_support_hints')) {
      links.add(link);
      if (later !== 'pass') apply(later, (one) => one === link);
    }
    return false;
  });

  function apply(how: 'pass' | 'swallow' | number, only: (link: number) => boolean): void {
    const toxics = how === 'pass' ? {} : how === 'swallow' ? { isBlackHole: true } : { latencyMs: how / 2 };
    for (const direction of ['up', 'down'] as const) back.poison(direction, toxics, only);
  }

  return {
    get opened() {
      return links.size;
    },
    swallow(alsoNew = false) {
      later = alsoNew ? 'swallow' : 'pass';
      apply('swallow', (link) => links.has(link));
    },
    delay(ms) {
      later = ms;
      apply(ms, (link) => links.has(link));
    },
    reset: () => void back.reset((link) => links.has(link)),
    heal() {
      later = 'pass';
      back.reset((link) => links.has(link));
      apply('pass', (link) => links.has(link));
    },
  };
}
