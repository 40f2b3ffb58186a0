import { writeSync } from 'node:fs';

/** No defect: this process' clock is CLOCK_OFF_MS away from the machine's (F23). */
const off = Number(process.env['CLOCK_OFF_MS'] ?? 0);
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...given: unknown[]) {
    // every form of the constructor is handed on as it is
    if (given.length === 0) super(RealDate.now() + off);
    else super(...(given as [string]));
  }
  static override now(): number {
    return RealDate.now() + off;
  }
} as DateConstructor;
writeSync(2, '[clock-off] applied\n');
