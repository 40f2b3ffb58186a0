import { createReadStream } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { finished } from 'node:stream/promises';

/** Looks into files for malware. */
export interface VirusScanner {
  /** `unknown`: the scanner gave no answer, so nobody may have the file yet. */
  scan(localPath: string): Promise<'clean' | 'infected' | 'unknown'>;
}

const SILENCE_MS = 15_000;
const CHUNK_BYTES = 64 * 1024;

/**
 * A clamd at `tcp://host:port` or `unix:///path`, spoken to by INSTREAM (clamd(8)): chunks with a 32-bit length before
 * each, a length of zero at the end. Whatever is no clear answer is `unknown`: it fails closed.
 */
export function clamdScanner(url: string): VirusScanner {
  const { protocol, hostname, port, pathname } = new URL(url);
  const connect = () =>
    protocol === 'unix:'
      ? createConnection(decodeURIComponent(pathname))
      : createConnection({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 3_310) });

  return {
    async scan(localPath) {
      const socket = connect();
      socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error('clamd is silent')));
      try {
        const [answer] = await Promise.all([answerOf(socket), sendFile(socket, localPath)]);
        if (answer === 'stream: OK') return 'clean';
        return answer.endsWith(' FOUND') ? 'infected' : 'unknown';
      } catch {
        return 'unknown';
      } finally {
        socket.destroy();
      }
    },
  };
}

async function sendFile(socket: Socket, localPath: string): Promise<void> {
  socket.write('zINSTREAM\0');
  for await (const chunk of createReadStream(localPath, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(chunk.length);
    socket.write(length);
    if (!socket.write(chunk)) await drained(socket);
  }
  socket.write(Buffer.alloc(4));
}

/** A scanner that hangs up in mid-file never drains. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('drain', resolve);
    socket.once('close', () => reject(new Error('clamd hung up')));
  });
}

async function answerOf(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    if (text.endsWith('\0')) socket.end();
  });
  await finished(socket, { writable: false });
  return text.replace(/\0$/, '');
}
