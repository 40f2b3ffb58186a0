import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where processes that tests start keep what the program is compiled to, by its content: NODE_COMPILE_CACHE. */
export const COMPILED = join(tmpdir(), 'safego-tests-compiled');
