/*
 * What can be done with one message: its time opens it, Escape closes it. Replying, editing; and with every answer the last message
 * that was there when the writing began, so that a colleague's answer is read before one's own goes out.
 */
(() => {
  let opener = null;

  function address(seq) {
    const url = new URL(location.href);
    url.searchParams.set('line', seq);
    return url.pathname + url.search;
  }

  async function open(link) {
    opener = link;
    const seq = new URL(link.href).searchParams.get('line');
    // its own source: that is what the request names as its target
    const source = document.getElementById('tools');
    await htmx.ajax('GET', address(seq), { source, target: '#tools', swap: 'outerHTML' }).catch(() => {});
    document.querySelector('#tools .button, #tools a')?.focus({ preventScroll: true });
  }

  function close({ focus = true } = {}) {
    const tools = document.getElementById('tools');
    if (!tools || tools.hidden) return;
    tools.hidden = true;
    tools.replaceChildren();
    if (focus && opener?.isConnected) opener.focus({ preventScroll: true });
  }

  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('.line-link');
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      void open(link);
    } else if (event.target.closest?.('[data-close-tools]')) {
      event.preventDefault();
      close();
    } else if (event.target.closest?.('[data-stop-reply]')) {
      event.preventDefault();
      event.target.closest('.replying').remove();
      document.getElementById('body')?.focus();
    }
  });
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
      if (event.target.closest?.('#tools')) close();
      else if (event.target.id === 'edit-body') document.querySelector('[data-stop-edit]')?.click();
      else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );
  document.addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
    const target = ctx.target?.id ?? '';
    if (target !== 'answer') return;
    close({ focus: false });
    const field = document.getElementById('edit-body') ?? document.getElementById('body');
    field?.focus({ preventScroll: true });
    field?.setSelectionRange(field.value.length, field.value.length);
  });

  // --- quotes: the text is that of the message as it stands now
  function fillQuotes(list) {
    for (const quote of list.querySelectorAll('.quote')) {
      const body = document.querySelector(`${quote.getAttribute('href')} .body`);
      if (body) quote.lastElementChild.textContent = body.textContent.slice(0, 160);
    }
  }
  document.addEventListener('messages:changed', ({ detail: { list } }) => fillQuotes(list));
  document.addEventListener('htmx:after:process', ({ target }) => target.querySelectorAll && fillQuotes(target));
  document.addEventListener('DOMContentLoaded', () => fillQuotes(document));

  // --- what was there when the writing began
  const lastSeq = () =>
    Math.floor(Number(document.querySelector('#messages > [data-side]:last-child')?.dataset.seq ?? 0));
  let since = null;
  document.addEventListener('input', ({ target }) => {
    if (target.id !== 'body') return;
    if (target.value) since ??= lastSeq();
    else since = null;
  });
  document.addEventListener(
    'submit',
    ({ target }) => {
      if (target.id !== 'composer') return;
      const field = target.elements.since ?? target.appendChild(document.createElement('input'));
      Object.assign(field, { type: 'hidden', name: 'since', value: String(since ?? lastSeq()) });
    },
    true,
  );
  document.addEventListener('composer:sent', () => {
    since = null;
    document.querySelector('#composer .replying')?.remove();
  });
})();
