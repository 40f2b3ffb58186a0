import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';

/** No defect: a node ends with whoever started it, so that a killed run leaves nothing behind. */
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, 1_000).unref();
// a node that is killed would leave nothing compiled for the next one, and a lab starts very many
setTimeout(flushCompileCache, 1_500).unref();
writeSync(2, '[with-parent] applied\n');
