/*
 * What is half written in a plain form survives a reload, a way back and a failed send; it goes once the next page shows it sent.
 */
safego.behaviour('draft', (form) => {
  const field = form.querySelector('textarea');
  const name = `draft:${form.dataset.draft}`;
  try {
    field.value ||= sessionStorage.getItem(name) ?? '';
    field.addEventListener('input', () => sessionStorage.setItem(name, field.value));
  } catch {
    // No storage: the browser's own form memory has to do.
  }
});

// A conversation's page is where a started one leads: the draft has arrived.
document.addEventListener('DOMContentLoaded', () => {
  if (document.getElementById('messages')) sessionStorage?.removeItem('draft:start');
});
