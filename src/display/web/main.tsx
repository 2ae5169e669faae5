import { render } from 'preact';
import { App } from './app.tsx';
import { readPage } from './read.ts';
import { documentSource } from './source.ts';
import { answerRequests, IS_WORKER } from './worker.ts';
import './style.css';

async function start(script: HTMLOrSVGScriptElement): Promise<void> {
  const root = document.getElementById('app')!;
  try {
    const data = await readPage(documentSource(document), script, (share) => render(<Reading share={share} />, root));
    const { width, height } = data.manifest;
    if (width !== undefined) root.style.width = `${width}px`;
    if (height !== undefined) root.style.height = `${height}px`;
    render(<App data={data} />, root);
    root.dataset['ready'] = 'true';
  } catch (error) {
    root.textContent = `This page could not be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function Reading({ share }: { readonly share: number }) {
  return (
    <p class="reading">
      <label>
        Reading the data <progress value={share} />
      </label>
    </p>
  );
}

if (IS_WORKER) answerRequests();
else void start(document.currentScript!);
