/*
 * Keys. Single letters work while nothing is being written; they press what is on the page, so a key can do no more than its button.
 */
(() => {
  const links = () => [
    ...document.querySelectorAll('#conversations .item:not([hidden]) .item-link, #conversations .more a'),
  ];

  function step(by) {
    const all = links();
    if (!all.length) return;
    const from = all.indexOf(document.activeElement);
    const chosen = all.findIndex((link) => link.hasAttribute('aria-current'));
    const next = from >= 0 ? from + by : chosen >= 0 ? chosen + by : by > 0 ? 0 : all.length - 1;
    const link = all[Math.max(0, Math.min(next, all.length - 1))];
    link.focus({ preventScroll: true });
    link.scrollIntoView({ block: 'nearest' });
  }

  function press(letter) {
    const forms = [...document.querySelectorAll(`[data-key-action="${letter}"] button`)];
    forms.find((button) => button.checkVisibility())?.click();
  }

  function searchFor() {
    const field = document.getElementById('q');
    field?.focus();
    field?.select();
  }

  function write(what, id) {
    const choice = document.getElementById(`compose-${what}`);
    if (choice) choice.checked = true;
    document.getElementById(id)?.focus();
  }

  /** As if it had been typed into the field. */
  function openReplies() {
    write('answer', 'body');
    const field = document.getElementById('body');
    if (field) safego.putText(field, field.selectionStart, /\S$/.test(field.value) ? ' /' : '/');
  }

  const actions = {
    j: () => step(1),
    k: () => step(-1),
    f: searchFor,
    a: () => press('a'),
    e: () => press('e'),
    r: () => write('answer', 'body'),
    n: () => write('note', 'note'),
    '/': openReplies,
    '?': () => document.getElementById('keys')?.showModal(),
  };

  /** Escape leaves what is being written, back to the chosen row. */
  function leave() {
    const active = document.activeElement;
    if (!active?.matches('input, textarea, select')) return;
    (document.querySelector('.item-link[aria-current]') ?? document.getElementById('list'))?.focus({
      preventScroll: true,
    });
  }

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector('dialog[open]'))
      return;
    if (event.key === 'Escape') return leave();
    if (event.target.matches('input, textarea, select, [contenteditable]')) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
})();
