/** How a page that lacks one of its files comes back by itself. */
const PERIOD_MS = 3000;
/** A page that still lacks a file after a new load is not loaded again within this time. */
const AGAIN_AFTER_MS = 60_000;
const KEY = 'locule.recovered';

/** Loads the page anew as soon as the platform answers. Returns how to stop waiting. */
export function recover(reload: () => void = () => location.reload()): () => void {
  if (Date.now() - Number(sessionStorage.getItem(KEY)) < AGAIN_AFTER_MS) return () => undefined;
  const timer = setInterval(() => {
    void fetch('/health').then(
      (answer) => {
        if (!answer.ok) return;
        clearInterval(timer);
        sessionStorage.setItem(KEY, String(Date.now()));
        reload();
      },
      // The platform is still away.
      () => undefined,
    );
  }, PERIOD_MS);
  return () => clearInterval(timer);
}
