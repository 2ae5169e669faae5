/** The app of display/web, bundled: see scripts/web-app.mjs. */
declare module 'virtual:web-app' {
  export const script: string;
  export const style: string;
}
