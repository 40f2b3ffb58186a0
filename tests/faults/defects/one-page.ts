import { rewrite } from './rewrite.ts';

/** Who is further behind than a page is let go with the room after it. */
rewrite('one-page', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'if (changes.length < PAGE) subscriber.floor = Math.max(subscriber.floor, version);',
    put: 'subscriber.floor = Math.max(subscriber.floor, version);',
  },
]);
