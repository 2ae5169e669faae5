import { render } from 'preact';
import { App } from './app.tsx';
import { Files } from './files.tsx';
import { readPage } from './read.ts';
import { readServed } from './served.ts';
import { documentSource } from './source.ts';
import { answerRequests, IS_WORKER } from './worker.ts';
import './style.css';

async function start(script: HTMLOrSVGScriptElement): Promise<void> {
  const root = document.getElementById('app')!;
  const { served, file = '' } = root.dataset;
  if (served === 'files') {
    render(<Files />, root);
    return;
  }
  try {
    const data =
      served === 'report'
        ? await readServed(file, script, (what, share) => render(<Reading what={what} share={share} />, root))
        : await readPage(documentSource(document), script, (share) =>
            render(<Reading what="Reading the data" share={share} />, root),
          );
    if (served !== undefined) document.title = data.manifest.title;
    const { width, height } = data.manifest;
    if (width !== undefined) root.style.width = `${width}px`;
    if (height !== undefined) root.style.height = `${height}px`;
    render(<App data={data} />, root);
    root.dataset['ready'] = 'true';
  } catch (error) {
    root.textContent = `This page could not be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function Reading({ what, share }: { readonly what: string; readonly share: number }) {
  return (
    <p class="reading">
      <label>
        {what} <progress value={share} />
      </label>
    </p>
  );
}

if (IS_WORKER) answerRequests();
else void start(document.currentScript!);
