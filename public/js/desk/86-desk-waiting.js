/*
 * How long until an answer is due, or how late it is: counted on four times a minute in business time, with words that say so. The
 * server counts once; while the desk is open the page takes off what has passed since, and it stops at closing time.
 */
(() => {
  const locales = { en: 'en-GB', bn: 'bn-BD' };
  const language = document.documentElement.lang;
  const minute = 60;
  const steps = [
    ['day', 24 * 60 * minute],
    ['hour', 60 * minute],
    ['minute', minute],
  ];
  const formats = Object.fromEntries(
    steps.map(([unit]) => [
      unit,
      new Intl.NumberFormat(locales[language] ?? language, { style: 'unit', unit, unitDisplay: 'narrow' }),
    ]),
  );

  /** `12m`: the largest whole unit, a minute at least. */
  function short(seconds) {
    const [unit, length] = steps.find(([, each]) => seconds >= each) ?? steps.at(-1);
    return formats[unit].format(Math.max(1, Math.floor(seconds / length)));
  }

  function count() {
    const words = document.getElementById('due-words')?.dataset;
    if (!words) return;
    for (const mark of document.querySelectorAll('.due[data-left]')) {
      const { left, soon, counted, until } = mark.dataset;
      if (!('runs' in mark.dataset)) continue;
      const now = Math.min(Date.now(), until ? Date.parse(until) : Number.POSITIVE_INFINITY);
      const rest = Number(left) - Math.max(0, (now - Date.parse(counted)) / 1000);
      const state = rest <= 0 ? 'late' : rest <= Number(soon) ? 'soon' : 'on_time';
      mark.dataset.state = state;
      const text = safego.fill(words[state], { time: short(Math.abs(rest)) });
      const word = mark.querySelector('[data-due-word]');
      if (word.textContent !== text) word.textContent = text;
    }
  }

  setInterval(count, 15_000);
  document.addEventListener('desk:rows', () => setTimeout(count));

  /** An answer is due, given or late: the badge and the head of the conversation are asked for again. */
  let timer;
  document.addEventListener('desk:changed', ({ detail }) => {
    if (!['due', 'late', 'start', 'assign', 'close', 'message:new'].includes(detail.what.replace('conversation:', '')))
      return;
    const isOpen = document.getElementById('thread')?.dataset.conversation === detail.id;
    if (isOpen) safego.reload(document.getElementById('thread-due'));
    if (!['due', 'late'].includes(detail.what)) return;
    clearTimeout(timer);
    timer = setTimeout(() => safego.reload(document.getElementById('late')), 250);
  });

  /** Those who lead are told the moment it happens; it goes when nothing is late any more. */
  safego.behaviour('desk-late', (notice) => {
    const badge = () => Number(document.getElementById('late')?.dataset.count ?? 0);
    let isDue = false;
    function onChanged({ detail }) {
      if (detail.what === 'late') isDue = true;
    }
    function onLoaded({ detail }) {
      if (detail.region?.id !== 'late') return;
      const link = notice.querySelector('a');
      if (badge() === 0) notice.hidden = true;
      else if (isDue) notice.hidden = false;
      isDue = false;
      link.textContent = safego.fill(notice.dataset.word, { count: safego.number(badge()) });
    }
    document.addEventListener('desk:changed', onChanged);
    document.addEventListener('region:loaded', onLoaded);
    return () => {
      document.removeEventListener('desk:changed', onChanged);
      document.removeEventListener('region:loaded', onLoaded);
    };
  });
})();
