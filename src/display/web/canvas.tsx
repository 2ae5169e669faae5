import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Colours of the page that drawings use; they follow the light or dark scheme. */
export interface Theme {
  readonly back: string;
  readonly panel: string;
  readonly ink: string;
  readonly faint: string;
  readonly line: string;
  readonly accent: string;
  readonly mark: string;
  readonly isDark: boolean;
}

export function useTheme(): Theme {
  const query = '(prefers-color-scheme: dark)';
  const [isDark, setDark] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const change = (): void => setDark(media.matches);
    media.addEventListener('change', change);
    return () => media.removeEventListener('change', change);
  }, []);
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    back: colour('back'),
    panel: colour('panel'),
    ink: colour('ink'),
    faint: colour('faint'),
    line: colour('line'),
    accent: colour('accent'),
    mark: colour('mark'),
    isDark,
  };
}

/** Size of an element in CSS pixels, kept up to date. */
export function useSize<E extends HTMLElement>(): [{ current: E | null }, { width: number; height: number }] {
  const ref = useRef<E>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const measure = (): void => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}

/** Does something when one of `depends` changes, and not at first. */
export function useChange(effect: () => void, depends: readonly unknown[]): void {
  const isFirst = useRef(true);
  useEffect(() => {
    if (isFirst.current) isFirst.current = false;
    else effect();
  }, depends);
}

export const FONT = 'system-ui, "Liberation Sans", "DejaVu Sans", sans-serif';

interface CanvasProps extends Omit<JSX.IntrinsicElements['canvas'], 'width' | 'height'> {
  readonly width: number;
  readonly height: number;
  /** Draws in CSS pixels on a cleared canvas; called when any of `depends` changes. */
  readonly draw: (context: CanvasRenderingContext2D) => void;
  readonly depends: readonly unknown[];
}

/** What a canvas shows, to be drawn elsewhere too. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly draw: (context: CanvasRenderingContext2D) => void;
}

const DRAWINGS = new WeakMap<HTMLCanvasElement, Drawing>();

/** What was last drawn on a canvas. */
export function drawingOf(canvas: HTMLCanvasElement): Drawing | undefined {
  return DRAWINGS.get(canvas);
}

/** A canvas as sharp as the screen. */
export function Canvas({ width, height, draw, depends, ...rest }: CanvasProps) {
  const ref = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const canvas = ref.current;
    const context = canvas?.getContext('2d');
    if (canvas === null || !context || width <= 0 || height <= 0) return;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context);
    DRAWINGS.set(canvas, { width, height, draw });
  }, [width, height, ...depends]);
  return <canvas ref={ref} style={{ width: `${width}px`, height: `${height}px` }} {...rest} />;
}

export interface Place {
  readonly x: number;
  readonly y: number;
}

/** What is under the pointer, beside it and within the window. */
export function Tip({ at, children }: { readonly at: Place; readonly children: preact.ComponentChildren }) {
  const left = at.x > window.innerWidth / 2;
  const top = at.y > window.innerHeight / 2;
  const style = {
    ...(left ? { right: `${window.innerWidth - at.x + 12}px` } : { left: `${at.x + 14}px` }),
    ...(top ? { bottom: `${window.innerHeight - at.y + 12}px` } : { top: `${at.y + 16}px` }),
  };
  return (
    <div class="tip" style={style}>
      {children}
    </div>
  );
}
