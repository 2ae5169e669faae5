/** src/worker.ts, bundled: see scripts/virtual-modules.mjs. */
declare module 'virtual:worker' {
  export const source: string;
}
