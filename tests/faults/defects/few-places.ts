import { rewrite } from './rewrite.ts';

/** No defect: limits of sockets that a test can reach. */
rewrite('few-places', [
  { file: 'src/api/socket-doors.ts', find: '  perAddress: 1_000,', put: '  perAddress: 5,' },
  { file: 'src/api/socket-doors.ts', find: '  perTenant: 20_000,', put: '  perTenant: 8,' },
]);
