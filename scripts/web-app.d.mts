import type { Plugin } from 'vitest/config';

export function bundleWebApp(): Promise<{ script: string; style: string }>;
export const webAppVitePlugin: Plugin;
