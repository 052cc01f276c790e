/** The page's beginning: preferences, then who is signed in, then the stream of whoever that is. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from '@/app/App.tsx';
import { beginFilling } from '@/app/filling.ts';
import { beginPreferences } from '@/preferences/preferences.ts';
import { beginSession, onSession, session } from '@/session/session.ts';
import { beginStream, stream } from '@/stream/running.ts';
import { queries } from './api/queries.ts';

beginPreferences();
beginStream();
beginFilling(stream, queries, { later: setTimeout.bind(window), chance: Math.random });
onSession(() => {
  const { kind } = session();
  if (kind === 'in') stream.begin();
  if (kind !== 'out') return;
  stream.end();
  queries.clear(); // nothing of one person is shown to the next
});
void beginSession();

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
