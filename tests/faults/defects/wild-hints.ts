import { rewrite } from './rewrite.ts';

/** No defect: hints between nodes come late, twice, in any order, and every fifth not at all (F9). */
rewrite('wild-hints', [
  {
    file: 'src/platform/realtime/hint-line.ts',
    find: 'for (const hint of parsed(text)) for (const listener of listeners) listener(hint);',
    put: `for (const hint of parsed(text)) {
      if (hint.version % 5 === 0) continue;
      for (const listener of listeners) {
        setTimeout(() => listener(hint), Math.random() * 400);
        setTimeout(() => listener(hint), Math.random() * 400);
      }
    }`,
  },
]);
