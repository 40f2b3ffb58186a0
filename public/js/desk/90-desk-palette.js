/*
 * Ctrl+K: everything that can be pressed on this page, by its name: what may be done with the open conversation, the places of the
 * menu, the conversations in the list. It presses what is there, so it can do no more than the page.
 */
safego.behaviour('desk-palette', (dialog) => {
  const field = dialog.querySelector('input');
  const list = dialog.querySelector('[role="listbox"]');
  const nothing = dialog.querySelector('.hint');
  const words = dialog.dataset;
  const shown = 12;
  let all = [];

  const press = (selector) => () => document.querySelector(selector)?.click();
  const key = (letter) => () =>
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: letter, bubbles: true, cancelable: true }));

  function collect() {
    const seen = new Set();
    const actions = [...document.querySelectorAll('.thread-actions form button, .details-actions form button')].flatMap(
      (button) => {
        const name = button.textContent.trim();
        if (seen.has(name)) return [];
        seen.add(name);
        return { name, hint: button.getAttribute('aria-keyshortcuts') ?? '', run: () => button.click() };
      },
    );
    const inThread = [
      ['#body', words.wordWrite, 'r'],
      ['#body', words.wordReplies, '/'],
      ['#note', words.wordNote, 'n'],
    ].flatMap(([needs, name, letter]) =>
      document.querySelector(needs) ? { name, hint: letter, run: key(letter) } : [],
    );
    const places = [...document.querySelectorAll('.desk-nav a')].map((link) => ({
      name: link.textContent.trim(),
      hint: '',
      run: () => link.click(),
    }));
    const rows = [...document.querySelectorAll('#conversations .item:not([hidden])')].map((item) => ({
      name: safego.fill(words.wordOpen, { name: item.querySelector('.item-name').textContent }),
      hint: item.querySelector('.item-type').textContent,
      run: press(`#${item.id} .item-link`),
    }));
    const common = [
      { name: words.wordFind, hint: 'f', run: key('f') },
      { name: words.wordKeys, hint: '?', run: key('?') },
    ];
    return [...actions, ...inThread, ...common, ...places, ...rows];
  }

  function show() {
    const wanted = field.value.trim().toLocaleLowerCase();
    const found = all.filter(({ name }) => name.toLocaleLowerCase().includes(wanted)).slice(0, shown);
    list.replaceChildren(
      ...found.map(({ name, hint, run }, index) => {
        const item = document.createElement('li');
        item.role = 'option';
        item.id = `command-${index}`;
        item.run = run;
        const word = document.createElement('bdi');
        word.textContent = name;
        item.append(word);
        if (hint) {
          const mark = document.createElement('kbd');
          mark.textContent = hint;
          item.append(mark);
        }
        return item;
      }),
    );
    nothing.hidden = found.length > 0;
    choose(0);
  }

  function choose(index) {
    const items = [...list.children];
    const one = items.at(index % items.length);
    for (const item of items) item.setAttribute('aria-selected', String(item === one));
    if (one) field.setAttribute('aria-activedescendant', one.id);
    else field.removeAttribute('aria-activedescendant');
    one?.scrollIntoView({ block: 'nearest' });
  }
  const chosen = () => [...list.children].findIndex((item) => item.getAttribute('aria-selected') === 'true');

  function run(item) {
    if (!item) return;
    dialog.close();
    item.run();
  }

  function onKey(event) {
    if (event.isComposing) return;
    if (event.key === 'ArrowDown') choose(chosen() + 1);
    else if (event.key === 'ArrowUp') choose(chosen() - 1);
    else if (event.key === 'Enter') run(list.children[chosen()]);
    else return;
    event.preventDefault();
  }

  function onOpenKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== 'k') return;
    event.preventDefault();
    if (dialog.open) return dialog.close();
    if (document.querySelector('dialog[open]')) return;
    all = collect();
    field.value = '';
    dialog.showModal();
    show();
  }

  field.addEventListener('input', show);
  field.addEventListener('keydown', onKey);
  list.addEventListener('click', ({ target }) => run(target.closest('[role="option"]')));
  document.addEventListener('keydown', onOpenKey);
  return () => document.removeEventListener('keydown', onOpenKey);
});
