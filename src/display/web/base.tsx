import type { ComponentChildren } from 'preact';

/** A number of what the selection is compared with, below its own; nothing where there is none. */
export function InBase({ children }: { readonly children: ComponentChildren }) {
  return children === '' || children === undefined ? null : <span class="base faint"> ({children})</span>;
}
