/*
 * Private notes: what is half written survives, @ offers colleagues, Enter adds. A note that names the reader counts as seen when it
 * stands on the screen.
 */
safego.behaviour('note-form', (form) => {
  const field = form.querySelector('textarea');
  const name = form.dataset.draft;
  const hasKeyboard = matchMedia('(hover: hover) and (pointer: fine)');

  const unpopup = safego.popup(field, {
    place: 'names',
    href: () => form.dataset.names,
    find(text) {
      const [, query] = /(?:^|\s)@([^@\n]{0,40})$/.exec(text) ?? [];
      return query === undefined ? null : { from: text.length - query.length, query };
    },
    take: (option, { from }) => safego.putText(field, from, `${option.dataset.text} `),
  });

  function keep() {
    try {
      if (field.value) sessionStorage.setItem(name, field.value);
      else sessionStorage.removeItem(name);
    } catch {
      // Then it lives as long as the page.
    }
  }
  function onKey(event) {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || !hasKeyboard.matches) return;
    event.preventDefault();
    form.requestSubmit();
  }
  function onRequest(event) {
    if (event.detail.ctx.sourceElement === form && !field.value.trim()) event.preventDefault();
  }
  function onFinal({ detail: { ctx } }) {
    if (ctx.sourceElement !== form || !(ctx.response?.status < 300)) return;
    form.elements.clientId.value = safego.uuid();
    field.value = '';
    keep();
    const log = form.closest('.thread').querySelector('.log');
    if (log) log.scrollTop = 0;
  }

  field.addEventListener('input', keep);
  field.addEventListener('keydown', onKey);
  form.addEventListener('htmx:config:request', onRequest);
  form.addEventListener('htmx:finally:request', onFinal);
  try {
    field.value ||= sessionStorage.getItem(name) ?? '';
  } catch {
    // No storage: nothing was kept.
  }
  return unpopup;
});

document.addEventListener('messages:changed', ({ detail: { list, added } }) => {
  if (list.id !== 'messages' || document.hidden) return;
  const me = document.getElementById('mentions')?.dataset.room.slice('user_'.length);
  const thread = document.getElementById('thread');
  if (!me || !added.some((item) => item.dataset.mentions?.split(' ').includes(me))) return;
  const url = `${location.pathname.replace(/\/[^/]*$/, '')}/${thread.dataset.conversation}/mentions${location.search}`;
  htmx.ajax('POST', url, { source: thread, target: '#mentions', swap: 'outerHTML' }).catch(() => {});
});
