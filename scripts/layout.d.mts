export function layout(): string;
export function pageWithLayout(page: string): string;
