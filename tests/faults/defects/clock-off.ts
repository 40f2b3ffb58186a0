import { writeSync } from 'node:fs';

/**
 * No defect: this process' clock is CLOCK_OFF_MS away from the machine's (F23); with
 * CLOCK_JUMPS_MS it jumps so often to the other side and back.
 */
const off = Number(process.env['CLOCK_OFF_MS'] ?? 0);
const jumpsMs = Number(process.env['CLOCK_JUMPS_MS'] ?? 0);
const RealDate = Date;

function now(): number {
  const isBack = jumpsMs > 0 && Math.floor(performance.now() / jumpsMs) % 2 === 1;
  return RealDate.now() + (isBack ? -off : off);
}

globalThis.Date = class extends RealDate {
  constructor(...given: unknown[]) {
    // every form of the constructor is handed on as it is
    if (given.length === 0) super(now());
    else super(...(given as [string]));
  }
  static override now(): number {
    return now();
  }
} as DateConstructor;
writeSync(2, '[clock-off] applied\n');
