import { flushCompileCache } from 'node:module';
import { rewrite } from './rewrite.ts';

/** No defect, but what every node of a lab has: it ends with whoever started it, so that a killed run leaves nothing behind. */
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, 1_000).unref();
// a node that is killed would leave nothing compiled for the next one, and a lab starts very many
setTimeout(flushCompileCache, 1_500).unref();
// a second of work in every start, for pages that nobody weighs here; it says that it was applied
rewrite('with-parent', [{ file: 'src/modules.ts', find: 'compress: deps.compress ?? true', put: 'compress: false' }]);
