/*
 * <hx-upsert hx-target="#messages">: puts items where their number says, once each.
 * Keys are numbers (data-seq, or the attribute named by `key`), searched from the end, because new things are last;
 * what has no newer data-version is dropped, so a late answer never overwrites an edit; what exists is morphed, so the
 * focus in it stays. `sort="desc"` turns the order round. At most data-max items stay in the page.
 * A list with data-steady does not move while the pointer or the focus is in it; it catches up afterwards.
 */
(() => {
  let htmxInside;

  htmx.registerExtension('upsert', {
    init(inside) {
      htmxInside = inside;
    },
    htmx_process_upsert(template, { ctx, tasks }) {
      const swapSpec = { style: 'upsert', key: template.getAttribute('key'), sort: template.getAttribute('sort') };
      const target = template.getAttribute('hx-target');
      tasks.push({
        type: 'partial',
        fragment: template.content.cloneNode(true),
        target,
        swapSpec,
        sourceElement: ctx.sourceElement,
      });
    },
    handle_swap(style, target, fragment, spec) {
      if (style !== 'upsert') return false;
      return upsert(target, [...fragment.children], spec.key ?? 'data-seq', spec.sort === 'desc' ? -1 : 1);
    },
  });

  // A list that was loaded as a whole holds what came meanwhile, too.
  document.addEventListener('region:loaded', ({ detail: { region: list } }) => {
    if (list?.id === 'messages')
      safego.tell('messages:changed', { list, added: [], atEnd: false, items: [...list.children] });
  });

  function upsert(list, items, keyName, direction) {
    const key = (item) => Number(item.getAttribute(keyName)) * direction;
    const isEnd = (item) => !item.nextElementSibling;
    const added = [];
    const held = list.hasAttribute('data-steady') && list.matches(':hover, :focus-within');
    for (const item of items) {
      const old = item.id && document.getElementById(item.id);
      safego.tell('item:prepare', { item, list });
      if (old && isStale(item, old)) continue;
      if (old) {
        const moves = key(old) !== key(item);
        const element = morph(old, item);
        if (moves && held) sortLater(list, key);
        else if (moves) place(list, element, key);
        continue;
      }
      place(list, item, key);
      added.push(item);
    }
    const atEnd = added.some(isEnd);
    safego.tell('messages:changed', { list, added, atEnd, items });
    trim(list);
    return added;
  }

  /** Once neither pointer nor focus is in the list. */
  function sortLater(list, key) {
    if (list.dataset.unsorted) return;
    list.dataset.unsorted = 'true';
    const timer = setInterval(() => {
      if (list.matches(':hover, :focus-within')) return;
      clearInterval(timer);
      delete list.dataset.unsorted;
      for (const item of [...list.children].sort((a, b) => key(a) - key(b))) list.append(item);
    }, 500);
  }

  function isStale(item, old) {
    const version = item.dataset.version;
    return version !== undefined && old.dataset.version !== undefined && Number(version) <= Number(old.dataset.version);
  }

  function morph(old, item) {
    const box = document.createDocumentFragment();
    box.append(item);
    htmxInside.morph(old, box, false);
    return document.getElementById(old.id) ?? old;
  }

  function place(list, item, key) {
    let after = list.lastElementChild;
    while (after && (after === item || key(after) > key(item))) after = after.previousElementSibling;
    if (after) after.after(item);
    else list.prepend(item);
  }

  /** Old messages leave the page again when it is full and the reader is at its end. */
  function trim(list) {
    const max = Number(list.dataset.max ?? 0);
    const log = list.closest('.log');
    if (!max || (log && log.scrollTop < -200)) return;
    while (list.children.length > max) list.firstElementChild.remove();
  }
})();
