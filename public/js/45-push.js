/*
 * Telling this device of answers. What asks and subscribes is loaded when there is a reason: somebody has written, or has said yes
 * before. Until then it costs nothing.
 */
document.addEventListener('composer:sent', () => {
  try {
    sessionStorage.setItem('wrote', '1');
  } catch {
    // Then it is offered another time.
  }
});
safego.behaviour('push', (place) => {
  if (!('PushManager' in window && window.Notification)) return;
  let timer;
  function soon() {
    if (Notification.permission === 'denied') return;
    clearTimeout(timer);
    timer = setTimeout(load, 2_500);
  }
  function load() {
    if (document.getElementById('push-script')) return safego.tell('push:asked');
    const script = document.createElement('script');
    script.id = 'push-script';
    script.src = place.dataset.script;
    document.head.append(script);
  }
  if (place.dataset.now !== undefined) load();
  else if (sessionStorage.wrote || Notification.permission === 'granted') soon();
  document.addEventListener('composer:sent', soon);
  return () => document.removeEventListener('composer:sent', soon);
});
