/*
 * What makes itself heard: a quiet sound and a desktop notification, each switched on by hand and kept in this browser, and how many
 * conversations hold something unread on the tab's icon. A notification says who wrote, never what.
 */
safego.behaviour('desk-notices', (box) => {
  const begun = Date.now();
  const toldAt = new Map();
  const quietMs = 3000;
  let lastSoundAt = 0;
  let audio;

  const isOn = (name) => kept(name) === 'on';
  function kept(name) {
    try {
      return localStorage.getItem(`desk:${name}`);
    } catch {
      return null;
    }
  }
  function keep(name, on) {
    try {
      localStorage.setItem(`desk:${name}`, on ? 'on' : 'off');
    } catch {
      // Then it lasts as long as the page.
    }
  }

  async function onChange({ target }) {
    const { name, checked } = target;
    if (name === 'desktop' && checked && (await Notification.requestPermission()) !== 'granted') target.checked = false;
    keep(name, target.checked);
    // a first sound, so that one knows what it is; browsers want a hand at it, too
    if (name === 'sound' && target.checked) sound();
  }

  /** Two soft notes, a tenth of a second each. */
  function sound() {
    if (Date.now() - lastSoundAt < quietMs) return;
    lastSoundAt = Date.now();
    audio ??= new AudioContext();
    const at = audio.currentTime;
    for (const [index, pitch] of [660, 880].entries()) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, at + index * 0.12);
      volume.gain.exponentialRampToValueAtTime(0.06, at + index * 0.12 + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, at + index * 0.12 + 0.11);
      tone.connect(volume).connect(audio.destination);
      tone.start(at + index * 0.12);
      tone.stop(at + index * 0.12 + 0.12);
    }
  }

  /** A user wrote into a conversation that nobody is looking at here. */
  function onRows({ detail }) {
    for (const item of detail.items) {
      const key = Number(item.dataset.key ?? 0);
      if (!item.hasAttribute('data-unread') || key < begun || key <= (toldAt.get(item.id) ?? 0)) continue;
      toldAt.set(item.id, key);
      const isOpen = document.getElementById('thread')?.dataset.conversation === item.id.slice(2);
      if (isOpen && !document.hidden) continue;
      if (isOn('sound')) sound();
      if (isOn('desktop') && document.hidden) notify(item);
    }
  }

  function notify(item) {
    if (!('Notification' in window) || Notification.permission !== 'granted') return;
    const link = item.querySelector('.item-link').href;
    const name = item.querySelector('.item-name').textContent;
    const notice = new Notification(safego.fill(box.dataset.wordMessage, { name }), { tag: item.id });
    notice.onclick = () => {
      window.focus();
      location.assign(link);
    };
  }

  function onCount({ detail }) {
    drawIcon(detail.count);
  }

  const words = box.querySelectorAll('input');
  for (const input of words) {
    input.checked = isOn(input.name);
    if (input.name === 'desktop' && !('Notification' in window)) input.closest('label').hidden = true;
  }
  box.hidden = false;
  box.addEventListener('change', onChange);
  document.addEventListener('desk:rows', onRows);
  document.addEventListener('desk:unread', onCount);
  return () => {
    document.removeEventListener('desk:rows', onRows);
    document.removeEventListener('desk:unread', onCount);
  };
});

/** The product's icon with a number on it. */
const drawIcon = (() => {
  const link = document.querySelector('link[rel="icon"]');
  const plain = link?.href;
  let drawn = '';
  let shown = '0';

  return (count) => {
    const text = count > 9 ? '9+' : String(count);
    if (!link || text === shown) return;
    shown = text;
    if (drawn) URL.revokeObjectURL(drawn);
    drawn = '';
    if (count === 0) {
      link.href = plain;
      return;
    }
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement('canvas');
      canvas.width = 64;
      canvas.height = 64;
      const pen = canvas.getContext('2d');
      const style = getComputedStyle(document.documentElement);
      pen.drawImage(image, 0, 0, 64, 64);
      pen.fillStyle = style.getPropertyValue('--danger');
      pen.beginPath();
      pen.arc(44, 44, 20, 0, 7);
      pen.fill();
      pen.fillStyle = style.getPropertyValue('--surface');
      pen.font = 'bold 28px sans-serif';
      pen.textAlign = 'center';
      pen.textBaseline = 'middle';
      pen.fillText(text, 44, 46);
      canvas.toBlob((blob) => {
        if (!blob || text !== shown) return;
        drawn = URL.createObjectURL(blob);
        link.type = 'image/png';
        link.href = drawn;
      });
    };
    image.src = plain;
  };
})();
