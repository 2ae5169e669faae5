/** src/worker.ts, bundled: see scripts/virtual-modules.mjs. */
declare module 'virtual:worker' {
  export const source: string;
}

/** config.txt, as it is built into the program: see scripts/virtual-modules.mjs. */
declare module 'virtual:shipped-config' {
  export const text: string;
}
