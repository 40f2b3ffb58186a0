/** s3rver brings no types; this is what the tests use. */
declare module 's3rver' {
  // biome-ignore lint/style/noDefaultExport: it is one
  export default class S3rver {
    constructor(options: {
      port: number;
      address: string;
      silent: boolean;
      directory: string;
      configureBuckets: readonly { name: string; configs: readonly string[] }[];
    });
    run(): Promise<{ address: string; port: number }>;
    close(): Promise<void>;
  }
}
