import { Worker } from 'node:worker_threads';
import { Unavailable } from '../errors/index.ts';
import type { PdfDocument } from './pdf-document.ts';

const WORKER = new URL('./draw-pdf.worker.ts', import.meta.url);
/** 5,000 messages take about ten seconds on a slow core. */
const TIMEOUT_MS = 60_000;
const MAX_WAITING = 8;
const MEMORY_MB = 384;

/** What the thread answers. */
export type Drawn = { readonly bytes: Uint8Array } | { readonly error: string };

/** Makes documents, one after the other. */
export interface PdfPress {
  /**
   * Draws a document.
   * @returns the file's bytes
   * @throws Unavailable when too many are waiting, or when it takes more than a minute.
   */
  render(document: PdfDocument): Promise<Uint8Array>;
}

/** One per process: documents wait for each other, so that a server with two cores keeps one. */
export function createPdfPress(): PdfPress {
  let queue: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return {
    async render(document) {
      if (waiting >= MAX_WAITING) {
        throw new Unavailable(10, 'unavailable', 'Too many documents are being made. Try again.');
      }
      waiting++;
      const drawn = queue.then(() => draw(document));
      queue = drawn.catch(() => {});
      try {
        return await drawn;
      } finally {
        waiting--;
      }
    },
  };
}

function draw(document: PdfDocument): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, {
      workerData: document,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
      env: {},
      execArgv: [],
    });
    const timer = setTimeout(() => {
      reject(new Unavailable(10, 'unavailable', 'The document could not be made in time.'));
      void worker.terminate();
    }, TIMEOUT_MS);
    worker.once('message', (drawn: Drawn) => {
      if ('bytes' in drawn) resolve(drawn.bytes);
      else reject(new Error(`the document could not be drawn: ${drawn.error}`));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => {
      clearTimeout(timer);
      // after a message this changes nothing
      reject(new Error(`the thread that draws ended early (${code})`));
    });
  });
}
