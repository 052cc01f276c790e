/** A menu whose code is loaded when its button is pressed for the first time: it is much, and few open it. */
import { type ReactNode, Suspense, useState } from 'react';

interface WhenPressedProps {
  button: (press: () => void) => ReactNode;
  /** Has the same button, which it presses itself as soon as it is there. */
  menu: () => ReactNode;
}

export function WhenPressed({ button, menu }: WhenPressedProps) {
  const [isWanted, setWanted] = useState(false);
  const before = button(() => setWanted(true));
  return isWanted ? <Suspense fallback={before}>{menu()}</Suspense> : before;
}

/** For the button of a menu that has just been loaded: it is focused and pressed, as it was before. */
export function pressed(button: HTMLButtonElement | null): void {
  if (button === null) return;
  button.focus();
  button.click();
}
