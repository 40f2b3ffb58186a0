import { writeSync } from 'node:fs';

/** No defect: a node ends with whoever started it, so that a killed run leaves nothing behind. */
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, 1_000).unref();
writeSync(2, '[with-parent] applied\n');
