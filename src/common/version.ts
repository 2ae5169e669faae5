declare const MARPLE_VERSION: string | undefined;

/** The version of MARPLE: the bundler puts it in from package.json. */
export const VERSION: string = typeof MARPLE_VERSION === 'string' ? MARPLE_VERSION : '0.0.0-source';
