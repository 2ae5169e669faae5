import { render } from 'preact';
import { App } from './app.tsx';
import { readPage } from './model.ts';
import './style.css';

async function start(): Promise<void> {
  const root = document.getElementById('app')!;
  try {
    const data = await readPage(document);
    const { width, height } = data.manifest;
    if (width !== undefined) root.style.width = `${width}px`;
    if (height !== undefined) root.style.height = `${height}px`;
    render(<App data={data} />, root);
    root.dataset['ready'] = 'true';
  } catch (error) {
    root.textContent = `This page could not be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

void start();
