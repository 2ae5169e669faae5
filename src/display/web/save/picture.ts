import { Context } from 'svgcanvas';
import { type Drawing, drawingOf, FONT } from '../canvas.tsx';

/*
 * What a view shows as a picture: its canvases, and the text around them (legends, details, tables), each where it is. Text is
 * only ever drawn, so names cannot be anything else.
 */

/** As many pixels as the screen shows. `caption` is one text a line. */
export async function pngOf(view: HTMLElement, caption: readonly string[]): Promise<Blob> {
  const { left, top, width, height } = view.getBoundingClientRect();
  const head = caption.length * LINE + MARGIN;
  const ratio = window.devicePixelRatio || 1;
  const picture = document.createElement('canvas');
  picture.width = Math.round(width * ratio);
  picture.height = Math.round((head + height) * ratio);
  const context = picture.getContext('2d')!;
  context.scale(ratio, ratio);
  drawCaption(context, caption, width, head);
  context.translate(-left, head - top);
  drawElement(context, view, (canvas) => {
    const box = canvas.getBoundingClientRect();
    if (canvas.width > 0 && canvas.height > 0) context.drawImage(canvas, box.left, box.top, box.width, box.height);
  });
  const blob = await new Promise<Blob | null>((resolve) => picture.toBlob(resolve, 'image/png'));
  if (blob === null) throw new Error('the browser made no PNG of it');
  return blob;
}

/** Lines and text that stay sharp at any size: the canvases are drawn once more. */
export function svgOf(view: HTMLElement, caption: readonly string[]): Blob {
  const { left, top, width, height } = view.getBoundingClientRect();
  const head = caption.length * LINE + MARGIN;
  const context = new Context({ width, height: head + height });
  context.putImageData = (pixels: ImageData, x: number, y: number) => putPixels(context, pixels, x, y);
  drawCaption(context, caption, width, head);
  context.translate(-left, head - top);
  drawElement(context, view, (canvas) => {
    const drawing = drawingOf(canvas);
    if (drawing !== undefined) drawAgain(context, canvas, drawing);
  });
  return new Blob([context.getSerializedSvg()], { type: 'image/svg+xml' });
}

function drawAgain(
  context: CanvasRenderingContext2D,
  canvas: HTMLCanvasElement,
  { width, height, draw }: Drawing,
): void {
  const box = canvas.getBoundingClientRect();
  context.save();
  context.translate(box.left, box.top);
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  draw(context);
  context.restore();
}

/** Pixels that were worked out one by one; their place is in pixels of the screen. */
function putPixels(context: CanvasRenderingContext2D, pixels: ImageData, x: number, y: number): void {
  const ratio = window.devicePixelRatio || 1;
  const image = document.createElement('canvas');
  image.width = pixels.width;
  image.height = pixels.height;
  image.getContext('2d')!.putImageData(pixels, 0, 0);
  context.drawImage(image, x / ratio, y / ratio, pixels.width / ratio, pixels.height / ratio);
}

type Pen = CanvasRenderingContext2D;

/** Of the caption, pixels. */
const LINE = 19;
const MARGIN = 8;

/** What is shown, in words: whoever gets the picture does not have the page. */
function drawCaption(pen: Pen, caption: readonly string[], width: number, height: number): void {
  const style = getComputedStyle(document.body);
  pen.fillStyle = style.backgroundColor;
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = style.color;
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  for (const [i, text] of caption.entries()) {
    pen.font = `${i === 0 ? '600 15px' : '13px'} ${FONT}`;
    pen.fillText(text, 14, MARGIN + (i + 0.5) * LINE);
  }
}

/** Draws an element and all that is in it, as far as it can be seen, at its place in the window. */
function drawElement(pen: Pen, view: HTMLElement, drawCanvas: (canvas: HTMLCanvasElement) => void): void {
  const frame = view.getBoundingClientRect();
  pen.fillStyle = getComputedStyle(document.body).backgroundColor;
  pen.fillRect(frame.left, frame.top, frame.width, frame.height);
  const visit = (element: Element): void => {
    const box = element.getBoundingClientRect();
    if (!isWithin(box, frame) || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return;
    if (element instanceof HTMLCanvasElement) {
      drawCanvas(element);
      return;
    }
    // What is there to be used says nothing on paper; names and heads of tables do.
    if (element.matches('.unseen, input, select, :not(th) > button:not(.plain)')) return;
    const style = getComputedStyle(element);
    if (element !== view && !/^rgba\(.*, 0\)$|^transparent$/.test(style.backgroundColor)) {
      pen.fillStyle = style.backgroundColor;
      pen.fillRect(box.left, box.top, box.width, box.height);
    }
    for (const child of element.childNodes) {
      if (child instanceof Element) visit(child);
      else if (child instanceof Text) drawText(pen, child, style, frame);
    }
  };
  visit(view);
}

/** Draws a text word by word: where each stands is known to the browser. */
function drawText(pen: Pen, text: Text, style: CSSStyleDeclaration, frame: DOMRect): void {
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  pen.fillStyle = style.color;
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  const range = document.createRange();
  for (const { index, 0: word } of text.data.matchAll(/\S+/g)) {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    const box = range.getBoundingClientRect();
    if (isWithin(box, frame)) pen.fillText(word, box.left, box.top + box.height / 2);
  }
}

function isWithin(box: DOMRect, frame: DOMRect): boolean {
  return box.right > frame.left && box.left < frame.right && box.bottom > frame.top && box.top < frame.bottom;
}
