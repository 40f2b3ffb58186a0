/**
 * `node tests/faults/lab/s3.child.ts <folder> <bucket>`: an S3 server in a process of its own, because it does not survive a body
 * that breaks off; says its port on stdout.
 */
import S3rver from 's3rver';

process.on('unhandledRejection', () => {});
process.on('uncaughtException', () => {});
const [directory = '', name = ''] = process.argv.slice(2);
const server = new S3rver({
  port: 0,
  address: '127.0.0.1',
  silent: true,
  directory,
  configureBuckets: [{ name, configs: [] }],
});
process.stdout.write(`${(await server.run()).port}\n`);
