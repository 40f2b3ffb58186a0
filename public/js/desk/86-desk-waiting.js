/*
 * How long somebody has been waiting: counted on once in fifteen seconds, turning to warning and then danger by the tenant's target.
 */
(() => {
  const locales = { en: 'en-GB', bn: 'bn-BD' };
  const language = document.documentElement.lang;
  const minute = 60_000;
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

  function count() {
    for (const mark of document.querySelectorAll('.waiting[data-since]')) {
      const waited = Date.now() - Date.parse(mark.dataset.since);
      const target = Number(mark.dataset.target) * minute;
      const step = steps.find(([, length]) => waited >= length);
      if (step)
        mark.querySelector('[data-duration]').textContent = formats[step[0]].format(Math.floor(waited / step[1]));
      if (target) mark.dataset.level = waited > target ? 'late' : waited > target / 2 ? 'warning' : '';
    }
  }

  setInterval(count, 15_000);
})();
