/** The app of display/web, bundled: see scripts/virtual-modules.mjs. */
declare module 'virtual:web-app' {
  export const script: string;
  export const style: string;
}
