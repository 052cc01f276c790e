/** The page's one stream, on the browser's WebSocket. */
import { goodSession } from '@/session/session.ts';
import { type Ears, type Socket, Stream } from './stream.ts';

function address(): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/stream`;
}

function open(ears: Ears): Socket {
  const socket = new WebSocket(address());
  socket.addEventListener('message', (event) => ears.hear(String(event.data)));
  socket.addEventListener('close', (event) => ears.closed(event.code, event.reason));
  return socket;
}

export const stream = new Stream({
  open,
  renew: goodSession,
  // What is compared with it is the machine's clock; the other one stands still in its sleep.
  now: Date.now,
  later: (task, ms) => {
    const timer = window.setTimeout(task, ms);
    return () => window.clearTimeout(timer);
  },
  frame: (task) => window.requestAnimationFrame(task),
  chance: Math.random,
});

/** Once: come back without waiting when the machine is on a network again, or the page is looked at again. */
export function beginStream(): void {
  window.addEventListener('online', () => stream.hurry());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') stream.hurry();
  });
}
