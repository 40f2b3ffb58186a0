/*
 * SafeGo Support on the page of a host app (README, "In your app"):
 *
 *   <script src="https://support.example/embed.js" data-tenant="acme" data-user="42" data-token="/support-token" async></script>
 *
 * Puts a button there with the number of unread messages, and opens the chat in a frame; in a tab where the browser keeps cookies
 * from frames, or with data-open="tab". Whatever has the attribute data-safego-open opens it too and is given data-unread;
 * data-button="none" leaves our own button out. Sets no style, script or markup inline, so the strictest policy lets it pass.
 *
 * The frame holds the session, never this page. It hears from us only what it needs (hello, a token, where to open) and tells us
 * the count, both with exact origins. A token goes through a message or a form's body, never through an address.
 */
(() => {
  const script = document.currentScript;
  const { tenant, user = '', token, label = 'Support', open, button } = script.dataset;
  const home = new URL(script.src).origin;
  const door = `${home}/embed/${tenant}`;
  const style = `
    :host{all:initial;position:fixed;z-index:2147483000;inset-block-end:0;inset-inline-end:0;font:15px/1.4 system-ui,sans-serif}
    [hidden]{display:none!important}
    button{all:unset;box-sizing:border-box;display:grid;grid-auto-flow:column;place-content:center;align-items:center;min-block-size:44px;min-inline-size:44px;text-align:center;cursor:pointer}
    button:focus-visible{outline:2px solid #0b6e4f;outline-offset:2px}
    .go{margin:16px;margin-block-end:max(16px,env(safe-area-inset-bottom));padding:0 20px;border-radius:22px;background:#0b6e4f;color:#fff;font-weight:600;box-shadow:0 2px 8px #0004}
    .n{margin-inline-start:8px;padding:2px 8px;border-radius:11px;background:#fff;color:#0b6e4f}
    section{position:fixed;inset-block-end:16px;inset-inline-end:16px;inline-size:min(400px,100vw - 32px);block-size:min(680px,100vh - 32px);display:flex;flex-direction:column;border-radius:12px;overflow:hidden;background:#0b6e4f;color:#fff;box-shadow:0 4px 24px #0005}
    header{display:flex;align-items:center;padding-inline-start:16px}
    b{flex:1}
    iframe,.note{flex:1;border:0;inline-size:100%;background:Canvas;color:CanvasText}
    header button:focus-visible{outline-color:#fff;outline-offset:-4px}
    @media (max-width:480px),(max-height:480px){section{inset:0;inline-size:auto;block-size:auto;border-radius:0;padding-block:env(safe-area-inset-top) env(safe-area-inset-bottom)}}`;
  let count = 0;
  let words = { open: label, close: 'Close', tab: 'Open in a tab', wait: '…', unread: '' };
  let isOpen = false;
  let isTab = open === 'tab';
  /** `door` and `chat` are pages of ours that have answered; anything else has not. */
  let at = '';
  let place = '';
  let tokens = 0;
  let patience;

  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const drawing = (path) => {
    const svg = (kind, attributes) => {
      const element = document.createElementNS('http://www.w3.org/2000/svg', kind);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      return element;
    };
    const picture = svg('svg', { viewBox: '0 0 20 20', width: 20, 'aria-hidden': true });
    picture.append(svg('path', { d: path, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.6 }));
    return picture;
  };
  const frame = make('iframe', { hidden: true });
  const note = make('button', { className: 'note', onclick: openTab });
  const title = make('b', {});
  const tab = make('button', { onclick: openTab }, drawing('M11 4h5v5M16 4l-7 7M8 5H4v11h11v-4'));
  const cross = make('button', { onclick: toggle }, drawing('m5 5 10 10M15 5 5 15'));
  const panel = make('section', { hidden: true }, make('header', {}, title, tab, cross), note, frame);
  const name = make('span', {});
  const number = make('span', { className: 'n', hidden: true });
  const launcher = make('button', { className: 'go', hidden: button === 'none', onclick: toggle }, name, number);
  const box = make('div', {});
  panel.setAttribute('role', 'dialog');

  function draw() {
    name.textContent = title.textContent = frame.title = words.open;
    panel.setAttribute('aria-label', words.open);
    tab.title = words.tab;
    cross.title = words.close;
    tab.setAttribute('aria-label', words.tab);
    cross.setAttribute('aria-label', words.close);
    launcher.setAttribute('aria-label', count ? `${words.open}: ${words.unread}` : words.open);
    launcher.setAttribute('aria-expanded', isOpen);
    number.textContent = words.count ?? count;
    number.hidden = !count;
    panel.hidden = !isOpen;
    frame.hidden = at !== 'chat';
    note.hidden = !frame.hidden;
    note.textContent = isTab ? words.tab : words.wait;
    for (const one of document.querySelectorAll('[data-safego-open]')) one.dataset.unread = count || '';
  }

  function newToken() {
    const own = window.safegoToken;
    if (own) return Promise.resolve().then(own);
    return fetch(token, { method: 'POST' }).then((answer) => (answer.ok ? answer.text() : Promise.reject()));
  }

  function say(message) {
    frame.contentWindow.postMessage({ safego: 1, ...message }, home);
  }

  /** Back to the page that signs in and counts. From here, so that the browser says whether we are of one site. */
  function toDoor() {
    at = '';
    frame.contentWindow.location.replace(door);
  }

  function toggle() {
    if (isTab && !isOpen) return openTab();
    isOpen = !isOpen;
    if (!isOpen) toDoor();
    else if (at === 'door') say({ type: 'open', to: place });
    draw();
    if (isOpen) cross.focus();
    else launcher.focus();
  }

  /** The window at once, while the click still counts; then the token, in the body of a form. */
  function openTab() {
    const target = 'safego-support';
    const opened = window.open('', target);
    newToken().then(
      (value) => {
        const field = (key, held) => make('input', { type: 'hidden', name: key, value: held });
        const fields = [field('token', value), field('to', '/embed')];
        const form = make(
          'form',
          { method: 'post', action: `${home}/sso`, target: opened ? target : '_self' },
          ...fields,
        );
        document.body.append(form);
        form.submit();
        form.remove();
      },
      () => opened?.close(),
    );
  }

  const heard = {
    here(said) {
      clearTimeout(patience);
      at = said.at;
      if (at === 'chat') place = said.place;
      else if (isOpen) say({ type: 'open', to: place });
    },
    count(said) {
      count = Number.isInteger(said.count) ? said.count : 0;
      if (said.words) words = { ...words, ...said.words };
    },
    token() {
      // somebody whom we cannot sign in is not asked for ever
      if (++tokens > 5) isTab = true;
      else newToken().then((value) => say({ type: 'token', token: String(value) }), heard.tab);
    },
    out: toDoor,
    tab() {
      isTab = true;
      draw();
    },
  };

  addEventListener('message', ({ source, origin, data }) => {
    if (source !== frame.contentWindow || origin !== home || data?.safego !== 1) return;
    if (Object.hasOwn(heard, data.type)) heard[data.type](data);
    draw();
  });
  document.addEventListener('click', (event) => {
    if (!event.target.closest?.('[data-safego-open]')) return;
    event.preventDefault();
    toggle();
  });
  panel.addEventListener('keydown', ({ key }) => key === 'Escape' && toggle());
  frame.addEventListener('load', () => {
    if (isTab) return;
    say({ type: 'hello', user });
    clearTimeout(patience);
    // what does not answer is no page of ours, or one that may not be shown here
    patience = setTimeout(at === 'chat' ? toDoor : heard.tab, 3_000);
  });

  function begin() {
    const shadow = box.attachShadow({ mode: 'open' });
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style);
      shadow.adoptedStyleSheets = [sheet];
    } catch {
      shadow.append(make('style', { textContent: style }));
    }
    shadow.append(launcher, panel);
    document.body.append(box);
    draw();
    // the host's own page comes first
    if (!isTab) setTimeout(() => Object.assign(frame, { src: door }), 300);
  }
  if (document.readyState === 'complete') begin();
  else addEventListener('load', begin);
})();
