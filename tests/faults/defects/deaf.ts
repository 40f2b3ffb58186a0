import { rewrite } from './rewrite.ts';

/** Tells other nodes nothing, and never sweeps. */
rewrite('deaf', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'setInterval(() => void this.sweep(), sweepEveryMs)',
    put: 'setInterval(() => {}, sweepEveryMs)',
  },
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'backplane.onRestored(() => void this.sweep());',
    put: '',
  },
  {
    file: 'src/platform/realtime/hint-line.ts',
    find: 'if (isAlone() || isClosed) return;',
    put: 'if (isAlone() || !isClosed) return;',
  },
]);
