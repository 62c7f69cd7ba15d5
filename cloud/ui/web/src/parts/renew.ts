/** After an upgrade the pieces that an open page names are gone. */
const KEY = 'forewarn.renewed';
const AGAIN_MS = 60_000;

/** Loads the page anew when a piece of it is not there and the service is; once in a minute at most. */
export function renewAfterUpgrade(): void {
  addEventListener('vite:preloadError', () => {
    if (Date.now() - Number(sessionStorage.getItem(KEY)) < AGAIN_MS) return;
    fetch(location.href).then(({ ok }) => {
      if (!ok) return;
      sessionStorage.setItem(KEY, String(Date.now()));
      location.reload();
    }, () => undefined); // not heard: the page says so itself
  });
}
