/** Where the keyboard is, when what had it was taken out of the page: at its beginning, unless somebody says where. */
import { tick } from 'svelte';

/** Whether a button was pressed with a key: whoever used a pointer is not led anywhere, and gets no keyboard on the screen. */
export function isByKey(event: MouseEvent): boolean {
  return event.detail === 0;
}

/** Once the page is drawn anew, and only where nobody else has it: gives the focus to what is then found. */
export async function refocus(find: () => HTMLElement | null | undefined): Promise<void> {
  await tick();
  const has = document.activeElement;
  if (!has || has === document.body) find()?.focus({ preventScroll: true });
}
