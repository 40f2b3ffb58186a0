/*
 * "Rahim Uddin is typing": heard for five seconds at most; told at most once a second, and taken back when the field is empty.
 */
safego.behaviour('typing', (line) => {
  const list = document.getElementById('messages');
  const field = document.querySelector('#composer textarea');
  const ownSide = list?.dataset.audience === 'user' ? 'user' : 'admin';
  let toldAt = 0;
  let expiry;

  function tell(isTyping) {
    toldAt = isTyping ? Date.now() : 0;
    safego.tell('live:send', { frame: { type: 'typing', conversationId: list.dataset.conversation, isTyping } });
  }
  function onInput() {
    if (!field.value) tell(false);
    else if (Date.now() - toldAt > 1000) tell(true);
  }
  function clear() {
    clearTimeout(expiry);
    line.textContent = '';
  }
  function onHeard({ detail }) {
    if (detail.side === ownSide && ownSide === 'user') return;
    clear();
    if (!detail.isOn) return;
    line.textContent = safego.fill(line.dataset.words, { name: detail.name });
    expiry = setTimeout(clear, 5000);
  }
  function onSent() {
    toldAt = 0;
  }
  function onChanged({ detail }) {
    if (detail.added.some((item) => item.dataset.side && item.dataset.side !== ownSide)) clear();
  }

  field?.addEventListener('input', onInput);
  document.addEventListener('typing:heard', onHeard);
  document.addEventListener('composer:sent', onSent);
  document.addEventListener('messages:changed', onChanged);
  return () => {
    clear();
    field?.removeEventListener('input', onInput);
    document.removeEventListener('typing:heard', onHeard);
    document.removeEventListener('composer:sent', onSent);
    document.removeEventListener('messages:changed', onChanged);
  };
});
