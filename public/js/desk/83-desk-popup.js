/*
 * A list to choose from that opens above a field while something is being typed: colleagues after @, saved replies after /.
 * The server says what fits; arrows walk, Enter and Tab take, Escape closes. The field keeps the focus and names the chosen one.
 */
(() => {
  const waitMs = 120;

  /**
   * `find(textBeforeCaret)` gives `{ from, query }` while the list should be open, else null; `take(option, found)` puts the choice
   * in place. `place` is asked for anew: a swap may have exchanged it.
   */
  safego.popup = (field, { place, href, find, take }) => {
    let found = null;
    let timer;
    let asked = '';

    const list = () => document.getElementById(place);
    const options = () => [...(list()?.querySelectorAll('[role="option"]') ?? [])];
    const isOpen = () => Boolean(found) && !list()?.hidden && options().length > 0;

    function choose(index) {
      const all = options();
      const one = all.at(index % all.length);
      for (const option of all) option.setAttribute('aria-selected', String(option === one));
      if (!one) return field.removeAttribute('aria-activedescendant');
      field.setAttribute('aria-activedescendant', one.id);
      one.scrollIntoView({ block: 'nearest' });
    }
    const chosen = () => options().findIndex((option) => option.getAttribute('aria-selected') === 'true');

    function close() {
      clearTimeout(timer);
      found = null;
      asked = '';
      field.removeAttribute('aria-activedescendant');
      const box = list();
      if (box) box.hidden = true;
    }

    async function ask() {
      const { query } = found;
      const url = `${href()}?q=${encodeURIComponent(query)}`;
      if (url === asked) return show();
      asked = url;
      const swap = { source: list().parentElement, target: `#${place}`, swap: 'outerHTML' };
      await htmx.ajax('GET', url, swap).catch(() => {});
      show();
    }

    function show() {
      const box = list();
      if (!box) return;
      box.hidden = !found || !options().length;
      if (!box.hidden && chosen() < 0) choose(0);
    }

    function onInput() {
      found = field.selectionStart === field.selectionEnd ? find(field.value.slice(0, field.selectionStart)) : null;
      clearTimeout(timer);
      if (found) timer = setTimeout(ask, waitMs);
      else close();
    }

    function pick(option) {
      const what = found;
      close();
      if (option && what) take(option, what);
      field.focus();
    }

    function onKey(event) {
      if (!isOpen() || event.isComposing) return;
      const steps = { ArrowDown: 1, ArrowUp: -1 };
      if (steps[event.key]) choose(chosen() + steps[event.key]);
      else if (event.key === 'Enter' || event.key === 'Tab') pick(options()[chosen()]);
      else if (event.key === 'Escape') close();
      else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }
    function onPress(event) {
      const option = event.target.closest?.(`#${place} [role="option"]`);
      if (!option) return;
      event.preventDefault();
      pick(option);
    }
    /** Elsewhere: not the list itself, which takes no focus. */
    function onBlur() {
      setTimeout(() => {
        if (document.activeElement !== field) close();
      }, 150);
    }

    field.setAttribute('aria-autocomplete', 'list');
    field.setAttribute('aria-haspopup', 'listbox');
    field.addEventListener('input', onInput);
    // before the composer's own keys
    field.addEventListener('keydown', onKey, true);
    field.addEventListener('blur', onBlur);
    document.addEventListener('pointerdown', onPress);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('pointerdown', onPress);
    };
  };

  /** Puts a text in the place of what was typed, and lets everybody know who listens for typing. */
  safego.putText = (field, from, text) => {
    field.setRangeText(text, from, field.selectionStart, 'end');
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
})();
