/*
 * Times. The server writes them in the zone of the cookie `tz` (the tenant's zone before there is one); what comes in live is
 * put into the page's zone and digits before it is inserted, so that nothing jumps.
 */
(() => {
  const page = document.documentElement;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not everywhere
    document.cookie = `tz=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=${document.body?.dataset.frame ? 'none; secure; partitioned' : 'lax'}`;
  }
  const clock = new Intl.DateTimeFormat(page.lang, {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone: page.dataset.zone || zone,
  });

  document.addEventListener('item:prepare', ({ detail: { item } }) => {
    for (const time of item.querySelectorAll('time')) {
      if (time.dateTime.length > 10) time.textContent = clock.format(new Date(time.dateTime));
    }
  });
})();
