import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A load balancer of Debian's packages with what it does by default. */
export interface Balancer {
  readonly port: number;
  close(): Promise<void>;
}

/** Names of Debian's packages. */
export type BalancerKind = 'nginx' | 'haproxy';

const BINARIES: Record<BalancerKind, string> = { nginx: '/usr/sbin/nginx', haproxy: '/usr/sbin/haproxy' };

/** Which of them are installed. */
export function balancersHere(): BalancerKind[] {
  return (['nginx', 'haproxy'] as const).filter((kind) => existsSync(BINARIES[kind]));
}

/** Starts it in front of the ports. */
export async function startBalancer(kind: BalancerKind, ports: readonly number[]): Promise<Balancer> {
  const folder = mkdtempSync(join(tmpdir(), `safego-faults-${kind}-`));
  const port = await freePort();
  const file = join(folder, 'conf');
  writeFileSync(file, kind === 'nginx' ? nginxConf(folder, port, ports) : haproxyConf(port, ports));
  const args = kind === 'nginx' ? ['-p', folder, '-c', file, '-g', 'daemon off;'] : ['-db', '-f', file];
  const child = spawn(BINARIES[kind], args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said += text.toString();
  });
  await answering(child, port, () => said);
  return {
    port,
    async close() {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.kill('SIGKILL')) await ended;
      // workers of nginx end with their master's pipe; their folder may go at once
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * What `apt-get install nginx` serves with, and `proxy_pass` as its documentation shows it, with nothing else: HTTP/1.0
 * to the nodes, no Upgrade, answers are buffered, 60 seconds of silence end a request, `Host` is the upstream's name.
 */
function nginxConf(folder: string, port: number, ports: readonly number[]): string {
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
worker_processes 1;
master_process off;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 768; }
http {
  ${temps.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  sendfile on;
  tcp_nopush on;
  access_log off;
  gzip on;
  upstream support { ${ports.map((one) => `server 127.0.0.1:${one};`).join(' ')} }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://support; }
  }
}
`;
}

/** The `defaults` of Debian's /etc/haproxy/haproxy.cfg (read from it), a frontend and a backend without options. */
function haproxyConf(port: number, ports: readonly number[]): string {
  const debian = readFileSync('/etc/haproxy/haproxy.cfg', 'utf8');
  const defaults = /^defaults\n(?:[ \t].*\n)*/m.exec(debian)?.[0];
  if (!defaults) throw new Error('/etc/haproxy/haproxy.cfg has no defaults');
  return `
${defaults.replace(/^\s*log\s+global\n/m, '')}
frontend front
  bind 127.0.0.1:${port}
  default_backend nodes
backend nodes
${ports.map((one, at) => `  server node${at} 127.0.0.1:${one}`).join('\n')}
`;
}

async function answering(child: ChildProcess, port: number, said: () => string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`it ended: ${said()}`);
    const socket = connect({ port, host: '127.0.0.1' });
    const isOpen = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isOpen) return;
    await sleep(25);
  }
  throw new Error(`it does not listen: ${said()}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('it listens on TCP');
  return address.port;
}
